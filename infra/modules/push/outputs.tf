output "uuid" {
  description = "The mapping's id, which its metrics go by."
  value       = aws_lambda_event_source_mapping.this.uuid
}
