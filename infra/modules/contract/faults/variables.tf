variable "document" {
  description = "What `yamldecode` makes of the contract."
  type        = any
}
