output "environment" {
  description = "The environment variables of a function that writes."
  value       = local.environment
}

output "layers" {
  description = "The layers of a function that writes."
  value       = local.layers
}

output "writer_statements" {
  description = "What each function that writes may do: IAM statements as JSON."
  value       = local.writer_statements
}

output "reader_statements" {
  description = "What the role of the event source mapping may do: IAM statements as JSON."
  value       = local.reader_statements
}

output "source_access" {
  description = "How the event source mapping authenticates."
  value       = local.source_access
}

output "security_group_id" {
  description = "The security group of the functions that write; null without a VPC."
  value       = one(aws_security_group.this[*].id)
}

output "egress_security_group_id" {
  description = "The security group with a way out over HTTPS; null where there is none."
  value       = one(aws_security_group.egress[*].id)
}
