output "contract" {
  description = "The contract with its defaults, once nothing is wrong with it."
  value = {
    route_selection_expression = try(local.document.routeSelectionExpression, null)
    routes                     = local.routes
    functions                  = local.functions
    push                       = local.push

    authorizer = can(local.document.authorizer) ? {
      type             = try(local.document.authorizer.type, "REQUEST")
      function         = try(local.document.authorizer.function, null)
      identity_sources = try(local.document.authorizer.identitySource, [])
    } : null

    stage = {
      rate_limit  = try(local.document.stage.throttlingRateLimit, null)
      burst_limit = try(local.document.stage.throttlingBurstLimit, null)
      variables   = try(tomap(local.document.stage.variables), {})
    }
  }

  precondition {
    condition     = length(local.faults) == 0
    error_message = join("\n", concat(["The contract is refused."], [for fault in local.faults : "  ${basename(var.path)}: ${fault}"]))
  }

  # The functions read their own copy: routes must not differ between the two.
  precondition {
    condition     = !fileexists(var.packaged) || try(filesha256(var.packaged) == filesha256(var.path), false)
    error_message = "The packages were made with another contract: ${var.path} differs from ${var.packaged}. Run infra/package again."
  }
}
