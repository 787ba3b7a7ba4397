variable "path" {
  description = "The contract's file, `gateway.yaml`."
  type        = string
}

variable "packaged" {
  description = "The copy of the contract that was packaged with the functions; it may be missing."
  type        = string
}
