//! A row of the table.

/// What is known, and what has become of it.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number, which the names of its tests begin with.
    pub(super) id: &'static str,
    pub(super) sure: Sure,
    pub(super) fact: &'static str,
    /// Who says so: a page of AWS's developer guide (`dg:`), an issue (`owner/repo#n`), a URL, or a title.
    pub(super) sources: &'static [&'static str],
    pub(super) held: Held,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    /// AWS documents it.
    Documented,
    /// It was observed.
    Observed,
    /// It follows from something else that is known.
    Inferred,
    /// It is neither documented nor observed.
    Unknown,
}

/// What has become of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// Tests of its own prove it.
    Tested,
    /// Tests of its own prove an answer that had to be chosen; a flag may choose another.
    Chosen(&'static str),
    /// It says what other rows say, too.
    As(&'static [&'static str]),
    /// It is none of the gateway's business here, for this reason.
    Outside(&'static str),
}

/// A row, without the names of its fields: there are many.
pub(super) const fn row(
    id: &'static str,
    sure: Sure,
    fact: &'static str,
    sources: &'static [&'static str],
    held: Held,
) -> Row {
    Row {
        id,
        sure,
        fact,
        sources,
        held,
    }
}
