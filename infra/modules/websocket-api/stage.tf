################################################################################
# Logs
################################################################################

# Execution logs, in a group that API Gateway would make itself, without an end.
resource "aws_cloudwatch_log_group" "execution" {
  name              = "/aws/apigateway/${aws_apigatewayv2_api.this.id}/${var.stage_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${var.name}/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  # No query string, no header and no body: there may be credentials in them.
  access_log = jsonencode({
    requestTime        = "$context.requestTime"
    requestId          = "$context.requestId"
    eventType          = "$context.eventType"
    routeKey           = "$context.routeKey"
    status             = "$context.status"
    connectionId       = "$context.connectionId"
    messageId          = "$context.messageId"
    sourceIp           = "$context.identity.sourceIp"
    userAgent          = "$context.identity.userAgent"
    principalId        = "$context.authorizer.principalId"
    authorizerError    = "$context.authorizer.error"
    authorizerLatency  = "$context.authorizer.latency"
    integrationError   = "$context.integration.error"
    integrationLatency = "$context.integration.latency"
    integrationStatus  = "$context.integration.integrationStatus"
    functionStatus     = "$context.integration.status"
    error              = "$context.error.message"
  })
}

################################################################################
# Role by which API Gateway writes logs: one for the account in the region
################################################################################

data "aws_partition" "this" {}

resource "aws_iam_role" "logs" {
  count = var.manage_apigateway_account ? 1 : 0

  name = "${var.name}-apigateway-logs"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "apigateway.amazonaws.com" }
    }]
  })
}

# For all APIs of the account, hence AWS's own policy.
resource "aws_iam_role_policy_attachment" "logs" {
  count = var.manage_apigateway_account ? 1 : 0

  role       = aws_iam_role.logs[0].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count = var.manage_apigateway_account ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  depends_on = [aws_iam_role_policy_attachment.logs]
}

################################################################################
# Stage
################################################################################

locals {
  rate_limit  = coalesce(var.contract.stage.rate_limit, var.throttling.rate_limit)
  burst_limit = coalesce(var.contract.stage.burst_limit, var.throttling.burst_limit)

  # Metrics and limits that are left out would be zero.
  route_settings = { for key, route in var.contract.routes : key => {
    rate_limit  = coalesce(route.rate_limit, local.rate_limit)
    burst_limit = coalesce(route.burst_limit, local.burst_limit)
  } if route.rate_limit != null || route.burst_limit != null }
}

resource "aws_apigatewayv2_stage" "this" {
  api_id          = aws_apigatewayv2_api.this.id
  name            = var.stage_name
  deployment_id   = aws_apigatewayv2_deployment.this.id
  stage_variables = var.contract.stage.variables

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = local.access_log
  }

  # `data_trace_enabled` would log what clients send.
  default_route_settings {
    throttling_rate_limit    = local.rate_limit
    throttling_burst_limit   = local.burst_limit
    detailed_metrics_enabled = var.detailed_metrics
    logging_level            = "ERROR"
    data_trace_enabled       = false
  }

  dynamic "route_settings" {
    for_each = local.route_settings

    content {
      route_key                = route_settings.key
      throttling_rate_limit    = route_settings.value.rate_limit
      throttling_burst_limit   = route_settings.value.burst_limit
      detailed_metrics_enabled = var.detailed_metrics
      logging_level            = "ERROR"
      data_trace_enabled       = false
    }
  }

  depends_on = [
    aws_api_gateway_account.this,
    aws_cloudwatch_log_group.execution,
  ]
}
