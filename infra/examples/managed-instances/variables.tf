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

variable "cluster_name" {
  description = "The cluster's name."
  type        = string
}

variable "kafka_security_group_id" {
  description = "The brokers' security group."
  type        = string
}

variable "egress_cidrs" {
  description = "Where the instances reach CloudWatch Logs and X-Ray, which get nothing from them otherwise: 0.0.0.0/0 with a NAT gateway, or the address ranges of interface endpoints for `logs` and `xray`."
  type        = list(string)
}

variable "vpc_id" {
  description = "The cluster's VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it, in two zones at least."
  type        = list(string)
}
