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

variable "cluster_name" {
  description = "The cluster's name."
  type        = string
}

variable "kafka_security_group_id" {
  description = "The brokers' security group."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts logs and settings."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The cluster's VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it, in two zones at least."
  type        = list(string)
}
