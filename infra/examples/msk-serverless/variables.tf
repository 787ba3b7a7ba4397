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
