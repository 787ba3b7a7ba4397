variable "name" {
  description = "What the security group is named after."
  type        = string
}

variable "kafka" {
  description = "The cluster and how to authenticate; the root module describes it."
  type = object({
    auth                        = string
    brokers                     = list(string)
    msk                         = optional(object({ cluster_arn = string }))
    mechanism                   = optional(string, "SCRAM-SHA-512")
    secret_arn                  = optional(string)
    secret_kms_key_arn          = optional(string)
    secrets_extension_layer_arn = optional(string)
    ca_certificate              = optional(string)
    ca_secret_arn               = optional(string)
    ca_secret_kms_key_arn       = optional(string)
  })
}

variable "writers" {
  description = "The topics that each function writes to."
  type        = map(set(string))
}

variable "push" {
  description = "What the event source mapping reads, and where it leaves what fails; without it, there is none."
  type = object({
    topics            = set(string)
    dead_letter       = optional(string)
    consumer_group_id = string
  })
  default = null
}

variable "vpc" {
  description = "The network of the functions that write; without it, they are outside of any."
  type = object({
    id                      = string
    kafka_security_group_id = optional(string)
    kafka_cidrs             = optional(list(string), [])
    secrets_cidrs           = optional(list(string), [])
    egress_cidrs            = optional(list(string), [])
  })
  default = null
}
