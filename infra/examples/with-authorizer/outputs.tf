output "websocket_url" {
  description = "Where browsers connect."
  value       = module.sluice.websocket_url
}
