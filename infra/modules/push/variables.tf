variable "function_arn" {
  description = "The ARN of the function, or of its alias, that the mapping invokes."
  type        = string
}

variable "mapping" {
  description = "The contract's `push` section, with its defaults."
  type = object({
    topics                  = set(string)
    batch_size              = number
    batching_window_seconds = number
    starting_position       = string
    retry_attempts          = number
    record_age_seconds      = number
    bisect                  = bool
    dead_letter             = optional(string)
  })
}

variable "consumer_group_id" {
  description = "The consumer group that holds the mapping's progress."
  type        = string
}

variable "brokers" {
  description = "The brokers of a self-managed cluster."
  type        = list(string)
}

variable "msk" {
  description = "The MSK cluster; without it, the cluster is self-managed."
  type        = object({ cluster_arn = string })
  default     = null
}

variable "source_access" {
  description = "How the mapping authenticates and, with a self-managed cluster in a VPC, where it connects from."
  type        = list(object({ type = string, uri = string }))
}

variable "pollers" {
  description = "How many pollers are provisioned, at least and at most; the group shares them with other mappings."
  type = object({
    minimum = number
    maximum = number
    group   = optional(string)
  })
}

variable "kms_key_arn" {
  description = "The key that encrypts what the mapping keeps."
  type        = string
  default     = null
}
