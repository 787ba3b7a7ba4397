# The gateway: routes, answers, authorization, permissions, limits and logs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                      = "sluice"
  stage_name                = "live"
  throttling                = { rate_limit = 1000, burst_limit = 500 }
  detailed_metrics          = false
  manage_apigateway_account = false
  log_retention_days        = 30

  functions = { for name in ["connect", "disconnect", "message", "goodbye", "authorizer", "push"] : name => {
    function_name = "sluice-${name}"
    alias_name    = "live"
    invoke_arn    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:sluice-${name}:live/invocations"
  } }
}

run "shipped" {
  command = plan

  module {
    source = "./tests/fixtures/contract"
  }

  variables {
    packages = "${var.packages}/shipped"
  }
}

run "full" {
  command = plan

  module {
    source = "./tests/fixtures/contract"
  }

  variables {
    packages = "${var.packages}/full"
  }
}

run "iam" {
  command = plan

  module {
    source = "./tests/fixtures/contract"
  }

  variables {
    packages = "${var.packages}/iam"
  }
}

run "the_shipped_contract_has_a_route_for_each_of_its_keys" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.shipped.contract
  }

  assert {
    condition     = join(" ", keys(aws_apigatewayv2_route.this)) == "$connect $default $disconnect chat"
    error_message = join(" ", keys(aws_apigatewayv2_route.this))
  }

  assert {
    condition     = aws_apigatewayv2_api.this.protocol_type == "WEBSOCKET" && aws_apigatewayv2_api.this.route_selection_expression == "$request.body.action"
    error_message = aws_apigatewayv2_api.this.route_selection_expression
  }

  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.this : route.target == "integrations/${aws_apigatewayv2_integration.this[key].id}"])
    error_message = "A route leads to another's integration."
  }

  assert {
    condition     = alltrue([for key, integration in aws_apigatewayv2_integration.this : integration.integration_uri == var.functions[var.contract.routes[key].function].invoke_arn && integration.timeout_milliseconds == 29000])
    error_message = "An integration invokes another function, or for another time."
  }

  assert {
    condition     = join(" ", keys(aws_apigatewayv2_route_response.this)) == "$default chat" && alltrue([for key, route in aws_apigatewayv2_route.this : (route.route_response_selection_expression == "$default") == contains(["$default", "chat"], key)])
    error_message = "The routes with answers are not those of the contract: ${join(" ", keys(aws_apigatewayv2_route_response.this))}"
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "NONE" && route.authorizer_id == null])
    error_message = "A route is authorized without an authorizer."
  }

  assert {
    condition     = output.callback_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"
    error_message = output.callback_url
  }

  assert {
    condition     = output.websocket_url == "wss://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"
    error_message = output.websocket_url
  }
}

run "each_route_has_a_permission_for_itself_alone" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.full.contract
  }

  assert {
    condition     = join(" ", sort(values(aws_lambda_permission.route)[*].source_arn)) == join(" ", [for key in ["$connect", "$default", "$disconnect", "bye", "chat/say"] : "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live/${key}"])
    error_message = join(" ", sort(values(aws_lambda_permission.route)[*].source_arn))
  }

  assert {
    condition     = alltrue([for key, permission in aws_lambda_permission.route : permission.function_name == "sluice-${var.contract.routes[key].function}" && permission.qualifier == "live" && permission.principal == "apigateway.amazonaws.com"])
    error_message = "A permission is for another function."
  }

  assert {
    condition     = length(distinct(values(aws_lambda_permission.route)[*].statement_id)) == 5 && alltrue([for permission in aws_lambda_permission.route : can(regex("^[A-Za-z0-9_-]{1,100}$", permission.statement_id))])
    error_message = join(" ", values(aws_lambda_permission.route)[*].statement_id)
  }

  assert {
    condition     = aws_lambda_permission.authorizer[0].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/authorizers/auth01" && aws_lambda_permission.authorizer[0].function_name == "sluice-authorizer"
    error_message = aws_lambda_permission.authorizer[0].source_arn
  }
}

run "a_function_authorizes_connect_and_no_other_route" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.full.contract
  }

  assert {
    condition     = aws_apigatewayv2_route.this["$connect"].authorization_type == "CUSTOM" && aws_apigatewayv2_route.this["$connect"].authorizer_id == "auth01"
    error_message = aws_apigatewayv2_route.this["$connect"].authorization_type
  }

  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.this : route.authorization_type == "NONE" if key != "$connect"])
    error_message = "API Gateway refuses an authorizer on any route but $connect."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this[0].authorizer_type == "REQUEST" && aws_apigatewayv2_authorizer.this[0].identity_sources == toset(["route.request.querystring.token", "route.request.header.Origin"])
    error_message = jsonencode(aws_apigatewayv2_authorizer.this[0].identity_sources)
  }
}

run "iam_authorizes_without_a_function" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.iam.contract
  }

  assert {
    condition     = aws_apigatewayv2_route.this["$connect"].authorization_type == "AWS_IAM" && aws_apigatewayv2_route.this["$default"].authorization_type == "NONE" && length(aws_apigatewayv2_authorizer.this) == 0
    error_message = aws_apigatewayv2_route.this["$connect"].authorization_type
  }
}

run "an_authorizer_without_connect_is_refused" {
  command = plan

  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = merge(run.full.contract, { routes = { for key, route in run.full.contract.routes : key => route if key != "$connect" } })
  }

  expect_failures = [aws_apigatewayv2_authorizer.this]
}

run "limits_are_the_contracts_where_it_has_any" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.full.contract
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 2000 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 700
    error_message = jsonencode(aws_apigatewayv2_stage.this.default_route_settings)
  }

  assert {
    condition     = [for settings in aws_apigatewayv2_stage.this.route_settings : "${settings.route_key} ${settings.throttling_rate_limit} ${settings.throttling_burst_limit}"] == ["chat/say 100.5 50"]
    error_message = jsonencode(aws_apigatewayv2_stage.this.route_settings)
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.stage_variables == tomap({ colour = "blue" })
    error_message = jsonencode(aws_apigatewayv2_stage.this.stage_variables)
  }
}

run "a_route_with_one_limit_has_the_other_of_the_stage" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = merge(run.shipped.contract, { routes = merge(run.shipped.contract.routes, { chat = merge(run.shipped.contract.routes.chat, { rate_limit = 0 }) }) })
  }

  assert {
    condition     = [for settings in aws_apigatewayv2_stage.this.route_settings : "${settings.route_key} ${settings.throttling_rate_limit} ${settings.throttling_burst_limit}"] == ["chat 0 500"]
    error_message = jsonencode(aws_apigatewayv2_stage.this.route_settings)
  }
}

run "without_limits_in_the_contract_the_default_ones_hold" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.shipped.contract
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 1000 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 500 && length(aws_apigatewayv2_stage.this.route_settings) == 0
    error_message = jsonencode(aws_apigatewayv2_stage.this.default_route_settings)
  }
}

run "logs_have_no_bodies_and_no_credentials" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.full.contract
  }

  assert {
    condition     = !aws_apigatewayv2_stage.this.default_route_settings[0].data_trace_enabled && alltrue([for settings in aws_apigatewayv2_stage.this.route_settings : !settings.data_trace_enabled])
    error_message = "Message bodies would be logged."
  }

  assert {
    condition     = alltrue([for name, variable in jsondecode(aws_apigatewayv2_stage.this.access_log_settings[0].format) : startswith(variable, "$context.") && !can(regex("(?i)apikey|accesskey|querystring|header", variable))])
    error_message = aws_apigatewayv2_stage.this.access_log_settings[0].format
  }

  # https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
  assert {
    condition     = length(aws_apigatewayv2_stage.this.access_log_settings[0].format) <= 3072
    error_message = "API Gateway takes 3 KB of format."
  }

  assert {
    condition     = aws_cloudwatch_log_group.execution.name == "/aws/apigateway/a1b2c3d4e5/live" && aws_cloudwatch_log_group.access.retention_in_days == 30
    error_message = aws_cloudwatch_log_group.execution.name
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0
    error_message = "The account's role was touched unasked."
  }
}

run "the_accounts_role_is_set_on_demand" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract                  = run.shipped.contract
    manage_apigateway_account = true
    kms_key_arn               = "arn:aws:kms:eu-west-1:123456789012:key/11112222-3333-4444-5555-666677778888"
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 1 && aws_iam_role_policy_attachment.logs[0].policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    error_message = "There is no role to write logs with."
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.execution.kms_key_id == var.kms_key_arn
    error_message = "A log group is not encrypted."
  }
}

run "a_domain_is_where_clients_connect" {
  module {
    source = "./modules/websocket-api"
  }

  variables {
    contract = run.shipped.contract
    domain = {
      name            = "ws.example.com"
      certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/11112222-3333-4444-5555-666677778888"
      mapping_key     = "chat"
    }
  }

  assert {
    condition     = output.websocket_url == "wss://ws.example.com/chat" && output.callback_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"
    error_message = output.websocket_url
  }

  assert {
    condition     = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2" && aws_apigatewayv2_api_mapping.this[0].api_mapping_key == "chat"
    error_message = "The domain does not lead to the stage."
  }
}
