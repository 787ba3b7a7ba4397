variable "name" {
  description = "The API's name."
  type        = string
}

variable "stage_name" {
  description = "The stage's name, the last part of the URL."
  type        = string
}

variable "contract" {
  description = "The contract, with its defaults."
  type = object({
    route_selection_expression = string
    routes = map(object({
      function       = string
      route_response = bool
      timeout_millis = number
      rate_limit     = optional(number)
      burst_limit    = optional(number)
    }))
    authorizer = optional(object({
      type             = string
      function         = optional(string)
      identity_sources = list(string)
    }))
    stage = object({
      rate_limit  = optional(number)
      burst_limit = optional(number)
      variables   = map(string)
    })
  })
}

variable "functions" {
  description = "What is invoked: the alias of each function that the contract names."
  type = map(object({
    function_name = string
    alias_name    = string
    invoke_arn    = string
  }))
}

variable "throttling" {
  description = "The stage's limits where the contract has none: requests per second, and at once."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
}

variable "detailed_metrics" {
  description = "Whether metrics come by route, too."
  type        = bool
}

variable "log_retention_days" {
  description = "How long the access log is kept."
  type        = number
}

variable "kms_key_arn" {
  description = "The key that encrypts the access log."
  type        = string
  default     = null
}

variable "manage_apigateway_account" {
  description = "Whether to set the role by which API Gateway writes logs, one for all APIs of the account in the region."
  type        = bool
}

variable "domain" {
  description = "A name of one's own for the URL."
  type = object({
    name            = string
    certificate_arn = string
    mapping_key     = optional(string)
  })
  default = null
}
