//! Converts an X-Ray trace header to a W3C `traceparent`.

/// The `traceparent` of an X-Ray trace header such as
/// `Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1`.
///
/// `None` if the header names no parent or is malformed: a consumer is better off without a parent
/// than with one that does not exist.
pub(crate) fn traceparent(header: &str) -> Option<String> {
    let field = |name: &str| {
        header
            .split(';')
            .filter_map(|field| field.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    let (epoch, unique) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = field("Parent")?;
    let hex = is_hex(epoch, 8) && is_hex(unique, 24) && is_hex(parent, 16);
    let trace = format!("{epoch}{unique}");
    // An id of zeros is invalid.
    let named = [&trace, parent]
        .iter()
        .all(|id| id.bytes().any(|digit| digit != b'0'));
    let flags = if field("Sampled") == Some("1") {
        "01"
    } else {
        "00"
    };
    (hex && named).then(|| format!("00-{trace}-{parent}-{flags}").to_lowercase())
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str) -> Option<String> {
        traceparent(header)
    }

    const ROOT: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700";
    const PARENT: &str = "Parent=9a9197af755a6419";

    fn expected(flags: &str) -> Option<String> {
        Some(format!(
            "00-5bef4de7ad49b0e87f6ef6c87fc2e700-9a9197af755a6419-{flags}"
        ))
    }

    #[test]
    fn root_and_parent_become_a_traceparent() {
        assert_eq!(check(&format!("{ROOT};{PARENT};Sampled=1")), expected("01"));
        assert_eq!(
            check(&format!("{PARENT}; Sampled=0; {ROOT};Lineage=1:a:0")),
            expected("00")
        );
        assert_eq!(check(&format!("{ROOT};{PARENT}")), expected("00"));
        assert_eq!(check(&format!("{ROOT};{PARENT};Sampled=?")), expected("00"));
        assert_eq!(
            check(&format!("{ROOT};{};Sampled=1", PARENT.replace("a9", "A9"))),
            expected("01")
        );
    }

    #[test]
    fn without_a_parent_there_is_none() {
        assert_eq!(check(ROOT), None);
        assert_eq!(check(&format!("{ROOT};Sampled=1")), None);
        assert_eq!(check(&format!("{ROOT};Parent=;Sampled=1")), None);
        assert_eq!(check(&format!("{ROOT};Parent=0000000000000000")), None);
    }

    #[test]
    fn what_x_ray_does_not_send_is_left_alone() {
        for header in [
            "",
            ";;=;",
            "Root=1-asdf-asdfasdf;Parent=9a9197af755a6419",
            "Root=2-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419",
            "Root=1-5bef4de7ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a641",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e70ë;Parent=9a9197af755a6419",
        ] {
            assert_eq!(check(header), None, "{header}");
        }
    }
}
