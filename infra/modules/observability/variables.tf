variable "name" {
  description = "What alarms and the dashboard are named after."
  type        = string
}

variable "api_id" {
  description = "The API's id."
  type        = string
}

variable "stage_name" {
  description = "The stage's name."
  type        = string
}

variable "functions" {
  description = "The functions by their names in the contract; `latency_limit_millis` is for the slowest of a hundred invocations."
  type = map(object({
    function_name        = string
    latency_limit_millis = number
    reserved             = optional(number)
  }))
}

variable "mapping" {
  description = "The event source mapping of `push`; without it, there is none."
  type = object({
    uuid      = string
    lag_limit = number
  })
  default = null
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms notify; without it, they only show."
  type        = string
  default     = null
}
