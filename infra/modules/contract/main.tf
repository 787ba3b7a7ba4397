################################################################################
# Reading
#
# Terraform sees less than the reader that is built into the functions: it knows
# no lines, takes a key that is given twice, and follows aliases. `infra/package`
# therefore has that reader check the contract that it packages.
################################################################################

locals {
  document = try(yamldecode(file(var.path)), null)

  faults = (
    !fileexists(var.path) ? ["found no such file, expected the contract"] :
    try(length(regexall("(?m)^\\s*[^#\\s]", file(var.path))), 0) == 0 ? ["found an empty document, expected the fields of a contract"] :
    !can(yamldecode(file(var.path))) ? ["not YAML: ${basename(var.path)} cannot be read as YAML (text with braces or brackets needs quotes)"] :
    module.faults.faults
  )
}

module "faults" {
  source = "./faults"

  document = local.document
}

################################################################################
# With its defaults
################################################################################

locals {
  routes = { for key, route in try(tomap({ for key, route in local.document.routes : key => jsonencode(route) }), {}) : key => {
    function       = try(jsondecode(route).function, null)
    topic          = try(jsondecode(route).topic, null)
    route_response = try(jsondecode(route).routeResponse, false)
    timeout_millis = try(jsondecode(route).timeoutInMillis, 29000)
    rate_limit     = try(jsondecode(route).throttlingRateLimit, null)
    burst_limit    = try(jsondecode(route).throttlingBurstLimit, null)
  } }

  push = can(local.document.push) ? {
    function                = try(local.document.push.function, null)
    topics                  = try(local.document.push.topics, [])
    batch_size              = try(local.document.push.batchSize, 100)
    batching_window_seconds = try(local.document.push.maximumBatchingWindowInSeconds, 0)
    starting_position       = try(local.document.push.startingPosition, "LATEST")
    retry_attempts          = try(local.document.push.maximumRetryAttempts, -1)
    record_age_seconds      = try(local.document.push.maximumRecordAgeInSeconds, -1)
    bisect                  = try(local.document.push.bisectBatchOnFunctionError, false)
    dead_letter             = try(local.document.push.deadLetter, null)
  } : null

  # What is no text here is refused, but a fault is only told where nothing fails before.
  names = toset([for name in concat(
    values(local.routes)[*].function,
    [try(local.document.authorizer.function, null), try(local.document.push.function, null)],
  ) : name if can(regex(".", name))])

  functions = { for name in local.names : name => {
    timeout_seconds = try(local.document.functions[name].timeout, 10)
    memory_size     = try(local.document.functions[name].memorySize, 256)
    reserved        = try(local.document.functions[name].reservedConcurrentExecutions, null)
    max_concurrency = try(local.document.functions[name].maxConcurrency, null)
    environment     = try(tomap(local.document.functions[name].environment), {})

    # Where it writes: the topics of its own routes.
    topics = toset([for route in local.routes : route.topic if route.function == name && can(regex(".", route.topic))])
  } }
}
