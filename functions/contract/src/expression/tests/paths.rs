//! Paths with more than single names and indices.

use super::{MESSAGE_BYTES, check, check_error, value};

/// The same results as Jayway's library 2.9.0.
#[test]
fn a_path_that_can_match_several_values_gives_a_list() {
    let body = r#"{"a":1,"b":{"a":2,"c":[{"a":3},{"a":null},5]},"d":null,"e":"s"}"#;
    check(
        "$request.body.*",
        body,
        "[1, {a=2, c=[{a=3}, {a=null}, 5]}, null, s]",
    );
    check("$request.body.*.a", body, "[2]");
    check("$request.body.*.*", body, "[2, [{a=3}, {a=null}, 5]]");
    check("$request.body..a", body, "[1, 2, 3, null]");
    check("$request.body..c", body, "[[{a=3}, {a=null}, 5]]");
    check("$request.body..c[*].a", body, "[3, null]");
    check("$request.body..c[-1]", body, "[5]");
    check("$request.body..['a']", body, "[1, 2, 3, null]");
    check("$request.body..b..a", body, "[2, 3, null]");
    check(
        "${request.body.b..*}",
        body,
        "[2, [{a=3}, {a=null}, 5], {a=3}, {a=null}, 5, 3, null]",
    );
    check("$request.body.b.c[0,2]", body, "[{a=3}, 5]");
    check("$request.body['a','b'].a", body, "[2]");
    check(
        "$request.body['b','none'].c",
        body,
        "[[{a=3}, {a=null}, 5]]",
    );
}

#[test]
fn indices_and_slices_count_from_either_end() {
    let body = "[0,1,2,3,4,[50,51,[60]]]";
    check("$request.body[-1][2][0]", body, "60");
    check("$request.body[-6]", body, "0");
    check("$request.body[-7]", body, "");
    check("$request.body[1,0]", body, "[1, 0]");
    check("$request.body[ 0 , -2 ]", body, "[0, 4]");
    check("$request.body[0,0,9]", body, "[0, 0]");
    check("$request.body[0:2]", body, "[0, 1]");
    check("$request.body[:2]", body, "[0, 1]");
    check("$request.body[ 4: ]", body, "[4, [50, 51, [60]]]");
    check("$request.body[-2:]", body, "[4, [50, 51, [60]]]");
    check("$request.body[:-2]", body, "[0, 1, 2, 3]");
    check("$request.body[-3:-1]", body, "[3, 4]");
    check("$request.body[-99:-4]", body, "[0, 1]");
    check("$request.body[3:1]", body, "[]");
    check("$request.body[:-99]", body, "[]");
    check("$request.body[4:99][0]", body, "[50]");
    check("$request.body..[0]", body, "[0, 50, 60]");
    check("$request.body..[-1]", body, "[[50, 51, [60]], [60], 60]");
    check("$request.body..[0:1]", body, "[0, 50, 60]");
    check("$request.body[-2147483648]", body, "");
}

#[test]
fn several_names_at_the_end_give_an_object() {
    let body = r#"{"a":1,"b":{"a":2,"c":[3],"c":4},"it's":5}"#;
    check("$request.body['b','a']", body, "{b={a=2, c=4}, a=1}");
    check("$request.body['a', 'none', 'a']", body, "{a=1}");
    check("$request.body['none','no']", body, "{}");
    check("$request.body[\"it's\",\"a\"]", body, "{it's=5, a=1}");
    check("$request.body.b['c','a']", body, "{c=4, a=2}");
    check("$request.body.*['a','x']", body, "[{a=2}]");
    check("$request.body..['a','c']", body, "[{a=2, c=4}]");
}

#[test]
fn a_definite_part_without_a_match_gives_no_text_and_an_indefinite_one_an_empty_list() {
    let body = r#"{"d":null,"e":"s","l":[]}"#;
    for path in [
        ".none.*",
        ".none..a",
        ".d.x[*]",
        ".e['a','b']",
        ".e[0,1]",
        ".d[0:]",
        "[0:1]",
    ] {
        check(&format!("$request.body{path}"), body, "");
    }
    for path in [
        ".l.*",
        ".l[9,8]",
        ".l[9].*",
        ".e.*",
        ".d..a",
        "..none",
        "..['d','x']",
    ] {
        check(&format!("$request.body{path}"), body, "[]");
    }
    check("$request.body..a", "null", "");
    check("$request.body..a", "not JSON", "");
}

/// Jayway's library has a bug here: it matches too much or too little.
#[test]
fn a_step_after_a_descent_applies_to_each_match() {
    let body = r#"[{"a":1},{"b":2},{"a":[3]}]"#;
    check("$request.body..*.a", body, "[1, [3]]");
    check("$request.body..[0,2].a", body, "[1, [3]]");
    check("$request.body..[2][0]", "[0,1,[2]]", "[2]");
}

#[test]
fn a_path_too_expensive_for_the_message_selects_nothing() {
    let nest = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    check("$request.body..[0]", &nest(3), "[[[1]], [1], 1]");
    for depth in [4_000, 10_000, MESSAGE_BYTES / 2 - 1] {
        check("$request.body..[0]", &nest(depth), "");
        check("$request.body..a..a..*", &nest(depth), "");
    }
    let wide = format!("[{}0]", "0,".repeat(MESSAGE_BYTES / 2 - 2));
    check("$request.body..a", &wide, "[]");
    check("<$request.body..*..*..*..*..*>", &nest(60), "<>");
    let text = |length| format!("[[\"{}\"]]", "x".repeat(length));
    check("$request.body..*", &text(MESSAGE_BYTES / 2), "");
    assert_eq!(
        value("$request.body..*", &text(60_000)).len(),
        2 * 60_000 + "[[], ]".len()
    );
}

#[test]
fn filters_functions_and_malformed_indices_are_errors() {
    const FILTER: &str =
        "filters are not supported: use names, indices, a slice or `*` in brackets";
    for path in ["[?(@.a)]", "..[?(@.a)]", "[ ?(@.a)]"] {
        let source = format!("$request.body{path}");
        check_error(
            &source,
            &format!("`?(@.a)]` in `{source}` is invalid ({FILTER})"),
        );
    }
    const FUNCTION: &str = "functions are not supported: a path only selects values";
    for source in ["$request.body.a.length()", "${request.body..a.length()}"] {
        let rest = &source[source.find("()").unwrap()..];
        check_error(
            source,
            &format!("`{rest}` in `{source}` is invalid ({FUNCTION})"),
        );
    }
    for path in [
        "(@.length-1)]",
        "]",
        "+1]",
        "01]",
        "-0]",
        "--1]",
        "0,]",
        "99999999999]",
        "1:x]",
        "a]",
    ] {
        let source = format!("$request.body[{path}");
        let rest = path.trim_start_matches("0,").trim_start_matches("1:");
        check_error(
            &source,
            &format!(
                "`{rest}` in `{source}` is invalid (expected an index such as `[0]` or `[-1]`, \
                 a slice such as `[0:2]`, `['name']` or `[*]`)"
            ),
        );
    }
}

#[test]
fn a_slice_that_libraries_interpret_differently_is_an_error() {
    const ALIKE: &str =
        "expected a slice whose ends count from the same side: `[0:2]`, `[-2:-1]` or `[:-1]`";
    check_error(
        "$request.body[1:-1]",
        &format!("`:-1]` in `$request.body[1:-1]` is invalid ({ALIKE})"),
    );
    check_error(
        "$request.body[-3:4]",
        &format!("`:4]` in `$request.body[-3:4]` is invalid ({ALIKE})"),
    );
    check_error(
        "$request.body[:]",
        "`:]` in `$request.body[:]` is invalid \
         (expected a slice with a start or an end, such as `[1:]`; `[*]` selects the whole list)",
    );
    check_error(
        "$request.body[0:4:2]",
        "`:2]` in `$request.body[0:4:2]` is invalid (expected `]`, or `,` and another item of the same kind)",
    );
}

#[test]
fn a_bracket_contains_items_of_one_kind() {
    const KIND: &str = "expected `]`, or `,` and another item of the same kind";
    check_error(
        "$request.body[*,0]",
        &format!("`,0]` in `$request.body[*,0]` is invalid ({KIND})"),
    );
    check_error(
        "$request.body['a' 'b']",
        &format!("`'b']` in `$request.body['a' 'b']` is invalid ({KIND})"),
    );
    check_error(
        "$request.body[1 : 2]",
        &format!("`: 2]` in `$request.body[1 : 2]` is invalid ({KIND})"),
    );
    check_error(
        "$request.body['a',\"b\"]",
        "`\"b\"]` in `$request.body['a',\"b\"]` is invalid (expected another name in `'` quotes)",
    );
}
