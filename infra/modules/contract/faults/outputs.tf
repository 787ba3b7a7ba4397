output "faults" {
  description = "What is wrong with the contract: for each fault the field, what was found and what was expected."
  value = concat(
    local.wrong_mappings, local.unknown_fields, local.missing, local.wrong_texts, local.wrong_expressions,
    local.wrong_numbers, local.wrong_shapes, local.repeated_items, local.wrong_routes, local.wrong_authorizer,
    local.wrong_functions, local.wrong_variables, local.colliding, distinct(local.circular),
  )
}
