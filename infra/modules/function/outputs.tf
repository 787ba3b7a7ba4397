output "function_name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "alias_name" {
  description = "The name of the alias that is invoked."
  value       = aws_lambda_alias.this.name
}

output "alias_arn" {
  description = "The ARN of the alias that is invoked."
  value       = aws_lambda_alias.this.arn
}

output "invoke_arn" {
  description = "The ARN by which API Gateway invokes the alias."
  value       = aws_lambda_alias.this.invoke_arn
}

output "role_arn" {
  description = "The ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "The name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}
