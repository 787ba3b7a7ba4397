output "api_id" {
  description = "The API's id."
  value       = aws_apigatewayv2_api.this.id
}

output "execution_arn" {
  description = "The API's ARN in permissions, without a stage."
  value       = aws_apigatewayv2_api.this.execution_arn
}

# Of the API and not of the stage: the stage needs the deployment, that the
# routes, those the functions, and functions need the callback URL.
output "callback_url" {
  description = "Where to post to connections: add `/@connections/<connection id>`."
  value       = "${replace(aws_apigatewayv2_api.this.api_endpoint, "wss://", "https://")}/${var.stage_name}"
}

output "websocket_url" {
  description = "Where clients connect."
  value       = var.domain == null ? aws_apigatewayv2_stage.this.invoke_url : join("/", compact(["wss://${var.domain.name}", var.domain.mapping_key]))

  # Nobody should connect before the domain leads somewhere.
  depends_on = [aws_apigatewayv2_api_mapping.this]
}

output "stage_name" {
  description = "The stage's name."
  value       = aws_apigatewayv2_stage.this.name
}

output "domain_target" {
  description = "What the domain's DNS record has to point to; null without a domain."
  value = var.domain == null ? null : {
    name    = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
  }
}

output "deployment_trigger" {
  description = "The digest of what the stage serves: another one is another deployment."
  value       = aws_apigatewayv2_deployment.this.triggers.api
}
