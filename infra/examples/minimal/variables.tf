variable "region" {
  description = "Where everything is."
  type        = string
  default     = "eu-west-1"
}

variable "manage_apigateway_account" {
  description = "Whether to set the role by which API Gateway writes logs. There is one for all APIs of the account in the region: `true` replaces whatever is set, and destroying this takes it away."
  type        = bool
  default     = false
}

variable "packages" {
  description = "What `infra/package` made."
  type        = string
  default     = "../../../dist/arm64"
}

variable "brokers" {
  description = "The brokers, each HOST:PORT."
  type        = list(string)
}

variable "secret_arn" {
  description = "A secret of Secrets Manager: {\"username\":\"…\",\"password\":\"…\"}."
  type        = string
}

variable "secrets_extension_layer_arn" {
  description = "The layer AWS-Parameters-and-Secrets-Lambda-Extension-Arm64 of the region, from https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html"
  type        = string
}
