variable "region" {
  description = "Where everything is."
  type        = string
  default     = "eu-west-1"
}

variable "contract" {
  description = "The path of the contract; by default the repository's."
  type        = string
  default     = null
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

variable "vpc_id" {
  description = "The cluster's VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it, in two zones at least."
  type        = list(string)
}
