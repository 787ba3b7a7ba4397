################################################################################
# What the fields say together
################################################################################

locals {
  missing = concat(
    [for name, expected in { routeSelectionExpression = local.a_selection, routes = local.any_routes } :
      "${name}: found nothing, expected ${expected}" if startswith(local.root, "{") && !can(local.values[""][name])
    ],
    [for key, json in local.routes : "routes.${key}.function: found nothing, expected ${local.function_name}"
      if startswith(json, "{") && !can(local.values["routes.${key}"].function)
    ],
    [for mapping in local.mappings : "authorizer.function: found nothing, expected ${local.function_name}, or `type: AWS_IAM`"
      if mapping.kind == "authorizer" && startswith(mapping.json, "{") && !can(local.values.authorizer.type) && !can(local.values.authorizer.function)
    ],
    flatten([for mapping in local.mappings : [
      for name, expected in { topics = local.json_rules.topics.expected, function = local.function_name } :
      "push.${name}: found nothing, expected ${expected}" if !can(local.values.push[name])
    ] if mapping.kind == "push" && startswith(mapping.json, "{")]),
  )

  route_key = "`$connect`, `$disconnect`, `$default` or a text that does not begin with `$`"

  wrong_routes = concat(
    local.is_mapping.routes && (length(local.routes) < 1 || length(local.routes) > 300) ? ["routes: found ${length(local.routes)} routes, expected 1 to 300"] : [],
    [for key in keys(local.routes) : "routes.\"\": found an empty route key, expected ${local.route_key}" if key == ""],
    [for key in keys(local.routes) : "routes.${key}: found a reserved route key, expected ${local.route_key}"
      if startswith(key, "$") && !contains(["$connect", "$disconnect", "$default"], key)
    ],
    [for key in ["$connect", "$disconnect"] : "routes.${key}.routeResponse: found a field without meaning here, expected it on a route of messages: no message, no answer"
      if can(local.values["routes.${key}"].routeResponse)
    ],
    [for key in keys(local.routes) : "routes.${key}.tombstone: found a field without meaning here, expected it on `$disconnect` only"
      if key != "$disconnect" && can(local.values["routes.${key}"].tombstone)
    ],
    [for field in ["throttlingRateLimit", "throttlingBurstLimit"] : "routes.$disconnect.${field}: found a field without meaning here, expected it on another route: what has ended cannot be throttled"
      if can(local.values["routes.$disconnect"][field])
    ],
    [for key in ["$connect", "$disconnect"] : "routes.${key}.key: found ${local.found["routes.${key}.key"]}, expected no `$request.body`: ${key} has no body"
      if can(regex("\\$\\{?request\\.body", local.texts["routes.${key}.key"]))
    ],
    [for value in local.expressions : "${value.path}: found ${local.found[value.path]}, expected no `$context`: routes are selected by `$request.body…` only"
      if value.rule == "route_selection" && local.is_expression[value.text] && can(regex("\\$\\{?context\\.", value.text))
    ],
  )

  wrong_authorizer = concat(
    [for name in ["function", "identitySource"] : "authorizer.${name}: found a field beside `type`, expected `type` alone"
      if can(local.values.authorizer.type) && can(local.values.authorizer[name])
    ],
    [for mapping in local.mappings : "authorizer: found no route `$connect`, expected one: without it there is nothing to authorize, and everybody could connect"
      if mapping.kind == "authorizer" && startswith(mapping.json, "{") && length(local.routes) > 0 && !contains(keys(local.routes), "$connect")
    ],
  )
}

################################################################################
# Functions
################################################################################

locals {
  mentioned = toset(compact(concat(
    [for key in keys(local.routes) : lookup(local.texts, "routes.${key}.function", "")],
    [for name in ["authorizer", "push"] : lookup(local.texts, "${name}.function", "")],
  )))

  # What Lambda lets no function set itself.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
  reserved = [
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
  ]

  wrong_functions = concat(
    [for name in keys(local.functions) : "functions.${name}: found a malformed name, expected ${local.function_name}"
      if !can(regex(local.text_rules.function.pattern, name))
    ],
    [for name in keys(local.functions) : "functions.${name}: found a function that no route, authorizer or push names, expected one of ${join(", ", local.mentioned)}"
      if can(regex(local.text_rules.function.pattern, name)) && !contains(local.mentioned, name)
    ],
    [for name in keys(local.functions) : "functions.${name}.timeout: found ${local.found["functions.${name}.timeout"]}, expected at most 840 seconds for a function of `push`"
      if try(tonumber(local.values["functions.${name}"].timeout), 0) > 840 && try(tonumber(local.values["functions.${name}"].timeout), 0) <= 900 && lookup(local.texts, "push.function", "") == name
    ],
  )

  wrong_variables = concat(
    [for item in local.items : "${item.path}: found a malformed name of a stage variable, expected letters, digits and `_`"
      if item.rule == "stage_variable" && !can(regex("^[A-Za-z0-9_]+$", item.name))
    ],
    [for item in local.items : "${item.path}: found a malformed name of an environment variable, expected a letter, then one or more letters, digits and `_`"
      if item.rule == "variable" && !can(regex("^[A-Za-z][A-Za-z0-9_]+$", item.name))
    ],
    [for item in local.items : "${item.path}: found a reserved environment variable, expected one that Lambda does not set itself"
      if item.rule == "variable" && contains(local.reserved, item.name)
    ],
    [for path, bytes in local.environment_bytes : "${path}: found ${bytes} bytes of names and values, expected at most 4096" if bytes > 4096],
  )

  # base64 makes four characters of three bytes, and of the rest as well, with `=` for what is missing.
  environment_bytes = { for field in local.fields : field.path => sum(concat([0], [
    for item in local.items : length(base64encode("${item.name}${lookup(local.texts, item.path, "")}")) / 4 * 3 - length(regexall("=", base64encode("${item.name}${lookup(local.texts, item.path, "")}")))
    if item.list == field.path
  ])) if field.rule == "environment" }
}

################################################################################
# Topics
################################################################################

locals {
  topics = concat(
    [for key in keys(local.routes) : "routes.${key}.topic"],
    [for item in local.items : item.path if item.list == "push.topics"],
    ["push.deadLetter"],
  )

  # Kafka's metrics write `.` and `_` alike, so that brokers refuse the second of two such names.
  colliding = flatten([for index, path in local.topics : [
    for earlier in slice(local.topics, 0, index) : "${path}: found `${local.texts[path]}` beside `${local.texts[earlier]}`, expected topics that differ in more than `.` and `_` (these collide in Kafka)"
    if try(replace(local.texts[path], ".", "_") == replace(local.texts[earlier], ".", "_") && local.texts[path] != local.texts[earlier], false)
  ]])

  circular = [for item in local.items : "push.deadLetter: found `${local.texts[item.path]}`, a topic of `push.topics`, expected a topic that push does not read"
    if item.list == "push.topics" && try(local.texts[item.path] == local.texts["push.deadLetter"], false)
  ]
}
