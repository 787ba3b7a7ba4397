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

variable "ca_certificate_file" {
  description = "The PEM file of the authority that signs the brokers' certificates."
  type        = string
}

variable "ca_secret_arn" {
  description = "The same certificate for the event source mapping, a secret of Secrets Manager: {\"certificate\":\"…\"}."
  type        = string
}

variable "kafka_cidrs" {
  description = "The brokers' address ranges."
  type        = list(string)
}

variable "secrets_cidrs" {
  description = "The address ranges of Secrets Manager's interface endpoint."
  type        = list(string)
}

variable "secrets_extension_layer_arn" {
  description = "The layer AWS-Parameters-and-Secrets-Lambda-Extension-Arm64 of the region, from https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html"
  type        = string
}

variable "vpc_id" {
  description = "The cluster's VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it, in two zones at least."
  type        = list(string)
}
