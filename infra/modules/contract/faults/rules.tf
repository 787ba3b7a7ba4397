################################################################################
# The fields of each mapping, in the order in which errors list them, and the
# rule that a field's value keeps
################################################################################

locals {
  fields_of = {
    contract = [
      ["routeSelectionExpression", "route_selection"],
      ["routes", "routes"],
      ["authorizer", "section"],
      ["stage", "section"],
      ["functions", "functions"],
      ["push", "section"],
    ]
    route = [
      ["function", "function"],
      ["topic", "topic"],
      ["key", "expression"],
      ["routeResponse", "boolean"],
      ["timeoutInMillis", "timeout_millis"],
      ["throttlingRateLimit", "rate"],
      ["throttlingBurstLimit", "burst"],
      ["tombstone", "boolean"],
    ]
    authorizer = [
      ["type", "aws_iam"],
      ["function", "function"],
      ["identitySource", "identity_sources"],
    ]
    stage = [
      ["throttlingRateLimit", "rate"],
      ["throttlingBurstLimit", "burst"],
      ["variables", "variables"],
    ]
    function = [
      ["timeout", "timeout_seconds"],
      ["memorySize", "megabytes"],
      ["reservedConcurrentExecutions", "reserved"],
      ["maxConcurrency", "max_concurrency"],
      ["environment", "environment"],
    ]
    push = [
      ["function", "function"],
      ["topics", "topics"],
      ["batchSize", "batch_size"],
      ["maximumBatchingWindowInSeconds", "batching_window"],
      ["startingPosition", "starting_position"],
      ["maximumRetryAttempts", "retries"],
      ["maximumRecordAgeInSeconds", "record_age"],
      ["bisectBatchOnFunctionError", "boolean"],
      ["deadLetter", "topic"],
    ]
  }
}

################################################################################
# Selection expressions
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
################################################################################

locals {
  context_variables = [
    "apiId", "connectedAt", "connectionId", "domainName", "eventType", "extendedRequestId",
    "identity.accessKey", "identity.accountId", "identity.caller",
    "identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId", "identity.principalOrgId",
    "identity.sourceIp", "identity.user", "identity.userAgent", "identity.userArn",
    "messageDirection", "messageId", "requestId", "requestTime", "requestTimeEpoch",
    "routeKey", "stage",
  ]
  context_names = join("|", [for name in local.context_variables : replace(name, ".", "\\.")])

  name    = "[\\pL\\pN_-]+"
  context = "context\\.(?:${local.context_names}|authorizer\\.${local.name})"

  # A bracket holds names in quotes, indices, a slice whose ends are counted alike, or `*`.
  single  = "'(?:[^'\\\\]|\\\\[\\s\\S])*'"
  double  = "\"(?:[^\"\\\\]|\\\\[\\s\\S])*\""
  count   = "(?:0|[1-9][0-9]{0,8})"
  back    = "-[1-9][0-9]{0,8}"
  index   = "(?:${local.count}|${local.back})"
  slice   = "${local.count}:${local.count}|${local.back}:${local.back}|${local.index}:|:${local.index}"
  lists   = join("|", [for one in [local.single, local.double, local.index] : "${one}(?: *, *${one})*"])
  bracket = "\\[ *(?:\\*|${local.lists}|${local.slice}) *\\]"

  # After `..` a step is taken at any depth.
  named   = "\\.\\.?${local.name}"
  unnamed = "(?:\\.\\.?\\*|(?:\\.\\.)?${local.bracket})"
  path    = "(?:${local.named}|${local.unnamed})*"

  # Without braces a variable goes on for as long as it can, so what follows it
  # must not look like more of it. `()` would be a function of JSONPath.
  braced   = "[$]\\{(?:request\\.body${local.path}|${local.context})\\}"
  by_name  = "[$]request\\.body(?:${local.path}${local.named})?"
  by_other = "[$]request\\.body${local.path}${local.unnamed}"
  by_field = "[$]${local.context}"
  bare     = "(?:${local.by_name}|${local.by_other}|${local.by_field})"
  end      = "${local.braced}|\\\\+[^\\\\]"
  bounded = "${local.bare}*(?:${join("|", [
    "${local.bare}(?:${local.end})",
    "${local.by_name}[^$\\\\.\\[(\\pL\\pN_-]",
    "${local.by_other}[^$\\\\.\\[(]",
    "${local.by_field}[^$\\\\.(\\pL\\pN_-]",
  ])})"

  # Static text, in which `\$` is a dollar sign, and variables. The empty text matches, too.
  expression = "^(?:[^$\\\\]|${local.end}|${local.bounded})*${local.bare}*\\\\*$"
}

################################################################################
# What a value of each rule looks like
#
# `pattern` is for the content of a text, `json` for the value as JSON.
# The limits are those of API Gateway, Lambda and Kafka.
################################################################################

locals {
  function_name = "a function's name: 1 to 64 letters, digits, `-` and `_`"
  topic_name    = "a topic's name: 1 to 249 letters, digits, `.`, `_` and `-`, and not `.` or `..`"
  a_selection   = "a selection expression such as `$request.body.action`"
  variable      = "`$request.body…` or `$context.…` (`\\$` is a dollar sign)"
  sources       = "`route.request.header.NAME`, `route.request.querystring.NAME`, `stageVariables.NAME` or `context.NAME`"
  any_routes    = "a mapping of route keys to routes"
  any_functions = "a mapping of functions' names to their settings"
  whole         = "^(0|[1-9][0-9]*)$"

  text_rules = {
    function          = { pattern = "^[A-Za-z0-9_-]{1,64}$", expected = local.function_name }
    topic             = { pattern = "^([A-Za-z0-9_-]|[A-Za-z0-9_-][A-Za-z0-9._-]|[.][A-Za-z0-9_-]|[A-Za-z0-9._-]{3,249})$", expected = local.topic_name }
    aws_iam           = { pattern = "^AWS_IAM$", expected = "`AWS_IAM`, or a `function` instead" }
    starting_position = { pattern = "^(LATEST|TRIM_HORIZON)$", expected = "`LATEST` or `TRIM_HORIZON`" }
    identity_source   = { pattern = "(?s)^(route\\.request\\.header\\..+|route\\.request\\.querystring\\..+|stageVariables\\..+|context\\.(${local.context_names}))$", expected = local.sources }
    stage_variable    = { pattern = "^[A-Za-z0-9._~:/?#&=,-]+$", expected = "a value of letters, digits and `-._~:/?#&=,`" }
    variable          = { pattern = "(?s)^[^\\x00]*$", expected = "a text without NUL characters" }
  }

  number_rules = {
    timeout_millis  = { least = 50, most = 29000, unit = "a whole number of milliseconds" }
    timeout_seconds = { least = 1, most = 900, unit = "a whole number of seconds" }
    megabytes       = { least = 128, most = 10240, unit = "a whole number of megabytes" }
    reserved        = { least = 0, most = 1000000, unit = "a whole number of invocations" }
    max_concurrency = { least = 1, most = 1600, unit = "a whole number of invocations" }
    burst           = { least = 0, most = 10000000, unit = "a whole number of requests" }
    batch_size      = { least = 1, most = 10000, unit = "a whole number of records" }
    batching_window = { least = 0, most = 300, unit = "a whole number of seconds" }
    retries         = { least = 0, most = 10000, unit = "-1 (no limit) or a whole number" }
    record_age      = { least = 60, most = 604800, unit = "-1 (no limit) or a whole number of seconds" }
    rate            = { least = 0, most = 10000000, unit = "a number of requests per second" }
  }

  number_patterns = {
    retries    = "^(-1|0|[1-9][0-9]*)$"
    record_age = "^(-1|0|[1-9][0-9]*)$"
    rate       = "^(0|[1-9][0-9]*)([.][0-9]+)?$"
  }

  json_rules = {
    boolean          = { json = "^(true|false)$", expected = "`true` or `false`" }
    topics           = { json = "^\\[[^\\]]", expected = "a list of topics, at least one" }
    identity_sources = { json = "^\\[[^\\]]", expected = "a list of identity sources" }
    routes           = { json = "^\\{", expected = local.any_routes }
    functions        = { json = "^\\{", expected = local.any_functions }
    environment      = { json = "^\\{", expected = "a mapping of environment variables" }
    variables        = { json = "^\\{", expected = "a mapping of stage variables" }
  }
}
