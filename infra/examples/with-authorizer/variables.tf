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

variable "brokers" {
  description = "The brokers, each HOST:PORT."
  type        = list(string)
}

variable "tickets_secret_arn" {
  description = "A secret of Secrets Manager: the key that tickets are signed with."
  type        = string
}
