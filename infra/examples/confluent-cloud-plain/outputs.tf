output "websocket_url" {
  description = "Where browsers connect."
  value       = module.sluice.websocket_url
}

output "domain_target" {
  description = "What the domain's DNS record has to point to."
  value       = module.sluice.domain_target
}
