################################################################################
# The contract taken apart: every mapping, every field, every item of a list
#
# Values travel as JSON, since one list cannot hold values of several types;
# the first character of a value's JSON tells its kind.
################################################################################

locals {
  root = jsonencode(var.document)

  routes    = { for key, route in try(tomap({ for k, v in var.document.routes : k => jsonencode(v) }), {}) : key => route if local.is_mapping.routes }
  functions = { for key, value in try(tomap({ for k, v in var.document.functions : k => jsonencode(v) }), {}) : key => value if local.is_mapping.functions }

  is_mapping = { for name in ["routes", "functions"] : name => startswith(try(jsonencode(var.document[name]), ""), "{") }

  mappings = concat(
    [{ path = "", kind = "contract", json = local.root }],
    [for key, json in local.routes : { path = "routes.${key}", kind = "route", json = json }],
    [for name in ["authorizer", "stage", "push"] : { path = name, kind = name, json = jsonencode(var.document[name]) } if can(var.document[name])],
    [for name, json in local.functions : { path = "functions.${name}", kind = "function", json = json }],
  )

  # The fields of a mapping by name; none where it is something else.
  values = { for mapping in local.mappings : mapping.path =>
    try(tomap({ for name, value in jsondecode(mapping.json) : name => jsonencode(value) if startswith(mapping.json, "{") }), {})
  }

  # Every field that is known, with its rule.
  fields = flatten([for mapping in local.mappings : [
    for field in local.fields_of[mapping.kind] : {
      path = mapping.path == "" ? field[0] : "${mapping.path}.${field[0]}"
      rule = field[1]
      json = local.values[mapping.path][field[0]]
    } if can(local.values[mapping.path][field[0]])
  ]])

  # The items of lists and of mappings whose names are the user's own.
  items = flatten([for field in local.fields : [
    for key, value in try(jsondecode(field.json), []) : {
      path = contains(["topics", "identity_sources"], field.rule) ? "${field.path}[${key}]" : "${field.path}.${key}"
      name = tostring(key)
      at   = try(tonumber(key), -1)
      rule = local.item_rules[field.rule]
      list = field.path
      json = jsonencode(value)
    }
  ] if can(local.item_rules[field.rule]) && can(regex(try(local.json_rules[field.rule].json, ""), field.json))])

  item_rules = {
    topics           = "topic"
    identity_sources = "identity_source"
    variables        = "stage_variable"
    environment      = "variable"
  }

  every_value = concat(local.fields, local.items)

  # By its path; a section is a field of the contract and a mapping of its own.
  json = { for path, values in { for value in concat(local.every_value, local.mappings) : value.path => value.json... } : path => values[0] }

  # The content of a text.
  texts = { for path, json in local.json : path => tostring(jsondecode(json)) if startswith(json, "\"") }
}

################################################################################
# How an error shows a value
################################################################################

locals {
  # What an unquoted word would be to one YAML reader or another.
  no_text = "^(~|[Nn]ull|NULL|[Yy]|[Yy]es|YES|[Nn]|[Nn]o|NO|[Tt]rue|TRUE|[Ff]alse|FALSE|[Oo]n|ON|[Oo]ff|OFF|[-+]?[0-9][0-9_]*([.][0-9]*)?([eE][-+]?[0-9]+)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})$"

  # At most this many characters of a value are shown.
  shown_max = 80

  found = { for path, json in local.json : path =>
    json == "null" ? "nothing" :
    startswith(json, "[") ? "a list" :
    startswith(json, "{") ? "a mapping" :
    json == "\"\"" ? "an empty text" :
    contains(["true", "false"], json) ? "the boolean `${json}`" :
    !startswith(json, "\"") ? "the number `${json}`" :
    can(regex(local.no_text, local.texts[path])) ? "the text `${local.texts[path]}`" :
    "`${local.shown[path]}`"
  }

  shown = { for path, text in local.texts : path =>
    length(text) > local.shown_max ? "${substr(replace(text, "\n", "\\n"), 0, local.shown_max)}…" : replace(text, "\n", "\\n")
  }
}

################################################################################
# Every value on its own
################################################################################

locals {
  names_of = { for kind, fields in local.fields_of : kind => join(", ", fields[*][0]) }

  wrong_mappings = [for mapping in local.mappings :
    mapping.path == "" ? (mapping.json == "null" ? "found an empty document, expected the fields of a contract" : "found ${local.found[""]}, expected a mapping of ${local.names_of.contract}") :
    "${mapping.path}: found ${local.found[mapping.path]}, expected a mapping of ${local.names_of[mapping.kind]}"
    if !startswith(mapping.json, "{")
  ]

  unknown_fields = flatten([for mapping in local.mappings : [
    for name in keys(local.values[mapping.path]) :
    "${mapping.path == "" ? "" : "${mapping.path}."}${name}: found an unknown field, expected one of ${local.names_of[mapping.kind]}"
    if !contains(local.fields_of[mapping.kind][*][0], name)
  ]])

  wrong_texts = [for value in local.every_value :
    "${value.path}: found ${local.found[value.path]}, expected ${local.expected_texts[value.path]}"
    if can(local.text_rules[value.rule]) && !can(regex(local.text_rules[value.rule].pattern, local.texts[value.path]))
  ]

  expected_texts = { for value in local.every_value : value.path =>
    "${local.text_rules[value.rule].expected}${can(regex(local.unquoted, value.json)) ? local.quote : ""}"
    if can(local.text_rules[value.rule])
  }

  # What YAML takes for a number or a boolean.
  unquoted = "^[^n\\[{\"]"
  quote    = " (text needs quotes here)"

  expressions = [for value in local.every_value : merge(value, { text = lookup(local.texts, value.path, "") })
    if contains(["expression", "route_selection"], value.rule)
  ]

  # A pattern of this size takes milliseconds, so each text is matched once.
  is_expression = { for text in distinct(local.expressions[*].text) : text => text != "" && can(regex(local.expression, text)) }

  # One that is empty or no text at all is told with an example.
  wrong_expressions = [for value in local.expressions : join("", [
    "${value.path}: found ${local.found[value.path]}, expected ",
    value.text == "" ? local.a_selection : local.variable,
    can(regex(local.unquoted, value.json)) ? local.quote : "",
  ]) if !local.is_expression[value.text]]

  wrong_numbers = [for field in local.fields :
    "${field.path}: found ${local.found[field.path]}, expected ${local.number_rules[field.rule].unit} from ${local.number_rules[field.rule].least} to ${local.number_rules[field.rule].most}"
    if can(local.number_rules[field.rule]) && !try(
      regex(lookup(local.number_patterns, field.rule, local.whole), field.json) != "" &&
      (field.json == "-1" || tonumber(field.json) >= local.number_rules[field.rule].least && tonumber(field.json) <= local.number_rules[field.rule].most),
      false,
    )
  ]

  wrong_shapes = [for field in local.fields :
    "${field.path}: found ${field.json == "[]" ? "an empty list" : local.found[field.path]}, expected ${local.json_rules[field.rule].expected}"
    if can(local.json_rules[field.rule]) && !can(regex(local.json_rules[field.rule].json, field.json))
  ]

  repeated_items = [for item in local.items :
    "${item.path}: found ${local.found[item.path]} a second time, expected every item once"
    if anytrue([for other in local.items : other.list == item.list && other.json == item.json && other.at < item.at])
  ]
}
