variable "name" {
  description = "The function's name."
  type        = string
}

variable "package" {
  description = "The zip to deploy."
  type        = string
}

variable "runtime" {
  description = "The Lambda runtime."
  type        = string
  default     = "provided.al2023"
}

variable "handler" {
  description = "The handler, in the words of the runtime."
  type        = string
  default     = "bootstrap"
}

variable "architecture" {
  description = "The instruction set, `arm64` or `x86_64`."
  type        = string
}

variable "timeout_seconds" {
  description = "How long an invocation may take."
  type        = number
}

variable "memory_size" {
  description = "The memory in megabytes."
  type        = number
}

variable "reserved" {
  description = "How many invocations may run at once; without a number, what the account has left."
  type        = number
  default     = null
}

variable "provisioned" {
  description = "How many environments are kept ready."
  type        = number
  default     = 0
}

variable "environment" {
  description = "The environment variables."
  type        = map(string)
  default     = {}
}

variable "layers" {
  description = "ARNs of layers."
  type        = list(string)
  default     = []
}

variable "statements" {
  description = "What the function may do beside logging: IAM statements as JSON."
  type        = list(string)
  default     = []
}

variable "interface_actions" {
  description = "What Lambda, and not the function's own code, does to network interfaces with the role beside what `vpc` needs: for an event source mapping."
  type        = list(string)
  default     = []
}

variable "vpc" {
  description = "Where the function runs; without it, outside of any VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "instances" {
  description = "The capacity provider whose instances run the function (Lambda Managed Instances), in whose network it is then."
  type = object({
    capacity_provider_arn = string
    max_concurrency       = optional(number)
    memory_gib_per_vcpu   = optional(number)
  })
  default = null
}

variable "tracing" {
  description = "Whether invocations are traced with X-Ray."
  type        = bool
}

variable "log_level" {
  description = "The least level of the function's own log lines."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "The key that encrypts logs and environment variables."
  type        = string
  default     = null
}
