variable "region" {
  description = "Where everything is."
  type        = string
  default     = "eu-west-1"
}

variable "packages" {
  description = "What `infra/package` made."
  type        = string
  default     = "../../../dist/arm64"
}

variable "bootstrap_server" {
  description = "The cluster's bootstrap server, HOST:PORT."
  type        = string
}

variable "domain_name" {
  description = "The name of the URL."
  type        = string
}

variable "certificate_arn" {
  description = "A certificate of ACM for this name, in the same region."
  type        = string
}

variable "secrets_extension_layer_arn" {
  description = "The layer AWS-Parameters-and-Secrets-Lambda-Extension-Arm64 of the region, from https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html"
  type        = string
}
