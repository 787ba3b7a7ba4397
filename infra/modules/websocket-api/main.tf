################################################################################
# API, integrations and routes
################################################################################

resource "aws_apigatewayv2_api" "this" {
  name                       = var.name
  protocol_type              = "WEBSOCKET"
  route_selection_expression = var.contract.route_selection_expression
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.contract.routes

  api_id               = aws_apigatewayv2_api.this.id
  description          = each.key
  integration_type     = "AWS_PROXY"
  integration_method   = "POST"
  integration_uri      = var.functions[each.value.function].invoke_arn
  timeout_milliseconds = each.value.timeout_millis
}

resource "aws_apigatewayv2_route" "this" {
  for_each = var.contract.routes

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.key].id}"

  authorization_type = each.key == "$connect" ? local.authorization_type : "NONE"
  authorizer_id      = each.key == "$connect" ? one(aws_apigatewayv2_authorizer.this[*].id) : null

  route_response_selection_expression = each.value.route_response ? "$default" : null
}

resource "aws_apigatewayv2_route_response" "this" {
  for_each = { for key, route in var.contract.routes : key => route if route.route_response }

  api_id             = aws_apigatewayv2_api.this.id
  route_id           = aws_apigatewayv2_route.this[each.key].id
  route_response_key = "$default"
}

################################################################################
# Authorizer, of $connect alone: API Gateway knows no other for WebSockets
################################################################################

locals {
  authorization_type = (
    var.contract.authorizer == null ? "NONE" :
    var.contract.authorizer.type == "AWS_IAM" ? "AWS_IAM" : "CUSTOM"
  )
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = local.authorization_type == "CUSTOM" ? 1 : 0

  api_id           = aws_apigatewayv2_api.this.id
  name             = var.contract.authorizer.function
  authorizer_type  = "REQUEST"
  authorizer_uri   = var.functions[var.contract.authorizer.function].invoke_arn
  identity_sources = var.contract.authorizer.identity_sources

  lifecycle {
    precondition {
      condition     = contains(keys(var.contract.routes), "$connect")
      error_message = "The contract has an authorizer but no route $connect: there is nothing to authorize, and everybody could connect."
    }
  }
}

################################################################################
# Permissions: one per route, for this route alone
################################################################################

resource "aws_lambda_permission" "route" {
  for_each = var.contract.routes

  # A route key may have any characters, a statement's id may not.
  statement_id  = "route-${substr(replace(each.key, "/[^A-Za-z0-9_-]/", "-"), 0, 60)}-${substr(sha256(each.key), 0, 8)}"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[each.value.function].function_name
  qualifier     = var.functions[each.value.function].alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/${each.key}"
}

resource "aws_lambda_permission" "authorizer" {
  count = length(aws_apigatewayv2_authorizer.this)

  statement_id  = "authorizer"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[var.contract.authorizer.function].function_name
  qualifier     = var.functions[var.contract.authorizer.function].alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.this[0].id}"
}

################################################################################
# Deployment
#
# A stage serves the deployment, a copy of the API as it was. So whatever the
# copy holds is a trigger, and nothing else is: not the stage's own limits and
# variables, not what functions do with a message.
################################################################################

resource "aws_apigatewayv2_deployment" "this" {
  api_id = aws_apigatewayv2_api.this.id

  triggers = {
    api = sha256(jsonencode([
      var.contract.route_selection_expression,
      { for key, route in var.contract.routes : key => [var.functions[route.function].function_name, route.timeout_millis, route.route_response] },
      var.contract.authorizer == null ? null : [
        var.contract.authorizer.type,
        try(var.functions[var.contract.authorizer.function].function_name, null),
        sort(var.contract.authorizer.identity_sources),
      ],
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [
    aws_apigatewayv2_route.this,
    aws_apigatewayv2_route_response.this,
  ]
}

################################################################################
# Domain
################################################################################

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.domain == null ? 0 : 1

  api_id          = aws_apigatewayv2_api.this.id
  domain_name     = aws_apigatewayv2_domain_name.this[0].id
  stage           = aws_apigatewayv2_stage.this.name
  api_mapping_key = var.domain.mapping_key
}
