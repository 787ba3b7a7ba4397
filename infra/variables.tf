################################################################################
# What is deployed
################################################################################

variable "name" {
  description = "What everything is named after; unique in an account and region."
  type        = string
  default     = "sluice"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "name is ${var.name}, expected 1 to 31 lower-case letters, digits and `-`, beginning with a letter."
  }
}

variable "contract" {
  description = "The path of `gateway.yaml`; `infra/package` must have packaged this version of it."
  type        = string

  validation {
    condition     = fileexists(var.contract)
    error_message = "contract is ${var.contract}, where there is no file, expected the path of gateway.yaml."
  }
}

variable "packages" {
  description = "What `infra/package` made, such as `dist/arm64`: `contract.json`, `gateway.yaml`, and `<function>.zip` for every function of the contract."
  type        = string

  validation {
    condition     = fileexists("${var.packages}/contract.json")
    error_message = "${var.packages}/contract.json is missing. Make it with infra/package."
  }

  # The functions read the packaged contract: their routes must be those that are applied.
  validation {
    condition     = !fileexists("${var.packages}/contract.json") || !fileexists(var.contract) || try(filesha256("${var.packages}/gateway.yaml") == filesha256(var.contract), false)
    error_message = "The packages were made with another contract: ${var.contract} differs from ${var.packages}/gateway.yaml. Run infra/package again."
  }
}

variable "architecture" {
  description = "The instruction set that the packages are built for: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is ${var.architecture}, expected arm64 or x86_64."
  }
}

variable "functions" {
  description = <<-EOT
    What the contract cannot say of a function, by its name there; all of it optional.
    `package`, `runtime`, `handler`, `layers`: for a program of your own.
    `environment`, `statements`: more variables, and what more its role may do (IAM statements as JSON).
    `vpc`: whether it runs in `vpc`; by default it does where it has topics to write to, and is none of `push`.
    `provisioned`: environments that are kept ready.
    `instances`: the capacity provider that runs it (Lambda Managed Instances).
    `latency_limit_millis`: the p99 duration above which its alarm goes off; by default 2 seconds, for `push` eight tenths of its timeout, at most its timeout.
  EOT
  type = map(object({
    package              = optional(string)
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    layers               = optional(list(string), [])
    environment          = optional(map(string), {})
    statements           = optional(list(string), [])
    vpc                  = optional(bool)
    provisioned          = optional(number, 0)
    latency_limit_millis = optional(number)
    instances = optional(object({
      capacity_provider_arn = string
      memory_gib_per_vcpu   = optional(number)
    }))
  }))
  default = {}
}

################################################################################
# Kafka
################################################################################

variable "kafka" {
  description = <<-EOT
    The cluster and how to authenticate.
    `auth`: `msk_iam`, `scram` (SASL over TLS), `plain` (SASL over TLS), `tls` (encryption only), or `none`.
    `brokers`: the brokers to ask first, each HOST:PORT.
    `msk`: the MSK cluster, where it is one; required by `msk_iam`.
    `mechanism`: of `scram`, `SCRAM-SHA-512` or `SCRAM-SHA-256`.
    `secret_arn`: of `scram` and `plain`, a secret of Secrets Manager with `username` and `password`; `secret_kms_key_arn`: its key, where it is not AWS's own.
    `secrets_extension_layer_arn`: of `scram` and `plain`, the layer AWS-Parameters-and-Secrets-Lambda-Extension of the region and architecture.
    `ca_certificate`: the authorities that sign the brokers' certificates, as PEM or a path in the package; `ca_secret_arn`: the same for `push`, a secret with `certificate`; `ca_secret_kms_key_arn`: its key, where it is not AWS's own.
  EOT
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

  validation {
    condition     = contains(["msk_iam", "scram", "plain", "tls", "none"], var.kafka.auth)
    error_message = "kafka.auth is ${var.kafka.auth}, expected msk_iam, scram, plain, tls or none."
  }

  validation {
    condition     = length(var.kafka.brokers) > 0 && alltrue([for broker in var.kafka.brokers : can(regex("^[A-Za-z0-9._-]+:[1-9][0-9]{0,4}$", broker))])
    error_message = "kafka.brokers is [${join(", ", var.kafka.brokers)}], expected at least one HOST:PORT."
  }

  validation {
    condition     = var.kafka.auth != "msk_iam" || var.kafka.msk != null
    error_message = "kafka.msk is missing, expected the cluster's ARN: auth is msk_iam."
  }

  validation {
    condition     = var.kafka.msk == null || can(regex("^arn:[^:]+:kafka:[^:]+:[0-9]{12}:cluster/[^/]+/[^/]+$", var.kafka.msk.cluster_arn))
    error_message = "kafka.msk.cluster_arn is ${try(var.kafka.msk.cluster_arn, "missing")}, expected arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID."
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/msk-cluster-auth.html
  validation {
    condition     = var.kafka.msk == null || (var.kafka.auth != "plain" && (var.kafka.auth != "scram" || var.kafka.mechanism == "SCRAM-SHA-512"))
    error_message = "kafka.auth is ${var.kafka.auth}${var.kafka.auth == "scram" ? " with ${var.kafka.mechanism}" : ""}, expected msk_iam, scram with SCRAM-SHA-512, tls or none: MSK knows no other."
  }

  validation {
    condition     = var.kafka.msk == null || var.kafka.ca_secret_arn == null
    error_message = "kafka.ca_secret_arn is set, expected none: the authority of kafka.msk is known."
  }

  validation {
    condition     = var.kafka.ca_secret_arn != null || var.kafka.ca_secret_kms_key_arn == null
    error_message = "kafka.ca_secret_kms_key_arn is set, expected kafka.ca_secret_arn, too."
  }

  validation {
    condition     = contains(["SCRAM-SHA-512", "SCRAM-SHA-256"], var.kafka.mechanism)
    error_message = "kafka.mechanism is ${var.kafka.mechanism}, expected SCRAM-SHA-512 or SCRAM-SHA-256."
  }

  validation {
    condition     = !contains(["scram", "plain"], var.kafka.auth) || var.kafka.secret_arn != null
    error_message = "kafka.secret_arn is missing, expected the ARN of a secret with username and password: auth is ${var.kafka.auth}."
  }

  validation {
    condition     = !contains(["scram", "plain"], var.kafka.auth) || var.kafka.secrets_extension_layer_arn != null
    error_message = "kafka.secrets_extension_layer_arn is missing, expected the layer that reads the secret: auth is ${var.kafka.auth}. Its ARN for your region and architecture is in https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html"
  }

  validation {
    condition     = contains(["scram", "plain"], var.kafka.auth) || var.kafka.secret_arn == null
    error_message = "kafka.secret_arn is set, expected none: auth is ${var.kafka.auth}."
  }

  validation {
    condition     = var.kafka.auth != "none" || (var.kafka.ca_certificate == null && var.kafka.ca_secret_arn == null)
    error_message = "kafka.ca_certificate or kafka.ca_secret_arn is set, expected neither: auth is none, so that nothing is encrypted."
  }
}

variable "vpc" {
  description = <<-EOT
    The network of the functions that write to Kafka; without it they are outside of any and reach public brokers only.
    `id`, `subnet_ids`: where they run.
    `kafka_security_group_id`: the brokers' security group, which is opened for them; or
    `kafka_cidrs`: the brokers' address ranges.
    `secrets_cidrs`: the address ranges of Secrets Manager's interface endpoint, needed by `scram` and `plain`.
    `egress_cidrs`: what else is reached over HTTPS, by functions that do not only write: `0.0.0.0/0` with a NAT gateway, or the address ranges of interface endpoints.
  EOT
  type = object({
    id                      = string
    subnet_ids              = list(string)
    kafka_security_group_id = optional(string)
    kafka_cidrs             = optional(list(string), [])
    secrets_cidrs           = optional(list(string), [])
    egress_cidrs            = optional(list(string), [])
  })
  default = null

  validation {
    condition     = try(length(var.vpc.subnet_ids), 1) > 0
    error_message = "vpc.subnet_ids is empty, expected at least one subnet."
  }

  validation {
    condition     = var.vpc == null || length(try(var.vpc.kafka_cidrs, [])) > 0 || try(var.vpc.kafka_security_group_id, null) != null
    error_message = "vpc has no way to the brokers, expected kafka_security_group_id or kafka_cidrs."
  }

  validation {
    condition     = var.vpc == null || !contains(["scram", "plain"], var.kafka.auth) || length(try(var.vpc.secrets_cidrs, [])) > 0
    error_message = "vpc.secrets_cidrs is empty, expected the address ranges of Secrets Manager's endpoint: kafka.auth is ${var.kafka.auth}, and without a way to its secret no function can connect."
  }
}

variable "push" {
  description = <<-EOT
    What the contract cannot say of the event source mapping.
    `consumer_group_id`: by default `<name>-push`.
    `pollers`: provisioned pollers, at least and at most, and the group that shares them.
    `subnet_ids`, `security_group_id`: from where a self-managed cluster in a VPC is reached.
    `lag_limit`: how many records may wait before the alarm goes off.
  EOT
  type = object({
    consumer_group_id = optional(string)
    pollers           = optional(object({ minimum = number, maximum = number, group = optional(string) }), { minimum = 1, maximum = 4 })
    subnet_ids        = optional(list(string), [])
    security_group_id = optional(string)
    lag_limit         = optional(number, 1000)
  })
  default = {}

  # https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html
  validation {
    condition     = var.push.pollers.minimum >= 1 && var.push.pollers.minimum <= 200 && var.push.pollers.maximum >= var.push.pollers.minimum && var.push.pollers.maximum <= 2000
    error_message = "push.pollers is ${var.push.pollers.minimum} to ${var.push.pollers.maximum}, expected a minimum from 1 to 200 and a maximum from there to 2000."
  }

  validation {
    condition     = length(var.push.subnet_ids) == 0 || var.kafka.msk == null
    error_message = "push.subnet_ids is set, expected none: kafka.msk says where the cluster is."
  }

  validation {
    condition     = (length(var.push.subnet_ids) == 0) == (var.push.security_group_id == null)
    error_message = "push.subnet_ids and push.security_group_id belong together, expected both or neither."
  }
}

################################################################################
# The gateway
################################################################################

variable "stage_name" {
  description = "The stage's name, the last part of the URL."
  type        = string
  default     = "live"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name is ${var.stage_name}, expected 1 to 128 letters, digits, `-` and `_`."
  }
}

variable "throttling" {
  description = "The stage's limits where the contract has none: requests per second, and at once. They bound what a runaway client can cost."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = {
    rate_limit  = 1000
    burst_limit = 500
  }

  validation {
    condition     = var.throttling.rate_limit >= 0 && var.throttling.burst_limit >= 0
    error_message = "throttling is ${var.throttling.rate_limit} per second and ${var.throttling.burst_limit} at once, expected no negative number."
  }
}

variable "domain" {
  description = "A name of your own for the URL, its certificate, and the path below it; its DNS record is yours to make, see the output `domain_target`."
  type = object({
    name            = string
    certificate_arn = string
    mapping_key     = optional(string)
  })
  default = null
}

variable "manage_apigateway_account" {
  description = "Whether to set the role by which API Gateway writes logs, one for all APIs of the account in the region: whatever is set is replaced, and taken away when this is destroyed. A stage with logs cannot be made before there is one."
  type        = bool
  default     = false
}

################################################################################
# Operations
################################################################################

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms notify; without it, they only show."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "The key that encrypts logs, environment variables and the mapping; its policy has to allow CloudWatch Logs and Lambda."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}, expected what CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "log_level" {
  description = "The least level of the functions' own log lines."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.log_level)
    error_message = "log_level is ${var.log_level}, expected TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }
}

variable "detailed_metrics" {
  description = "Whether the gateway's metrics come by route, too, which costs extra."
  type        = bool
  default     = false
}

variable "tracing" {
  description = "Whether invocations are traced with X-Ray."
  type        = bool
  default     = true
}
