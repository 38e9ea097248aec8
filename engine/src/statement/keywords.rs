//! PostgreSQL's key words by what they may stand for (appendix C of its manual, as of 15).

/// Words that name nothing unless they are quoted.
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric both case cast check \
    collate column constraint create current_catalog current_date current_role current_time \
    current_timestamp current_user default deferrable desc distinct do else end except false fetch \
    for foreign from grant group having in initially intersect into lateral leading limit \
    localtime localtimestamp not null offset on only or order placing primary references returning \
    select session_user some symmetric table then to trailing true union unique user using \
    variadic when where window with ";

/// Words that may name a function or a type, and nothing else.
const FUNCTIONS_AND_TYPES: &str = " authorization binary collation concurrently cross \
    current_schema freeze full ilike inner is isnull join left like natural notnull outer overlaps \
    right similar tablesample verbose ";

/// Words that may name columns and tables, but no function or type.
const COLUMNS: &str = " between bigint bit boolean char character coalesce dec decimal exists \
    extract float greatest grouping inout int integer interval least national nchar none normalize \
    nullif numeric out overlay position precision real row setof smallint substring time timestamp \
    treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces \
    xmlparse xmlpi xmlroot xmlserialize xmltable ";

fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Whether a word, in lower case, names tables, columns and the like without quotes.
pub(crate) fn is_column_name(word: &str) -> bool {
    !is_in(RESERVED, word) && !is_in(FUNCTIONS_AND_TYPES, word)
}

/// Whether a word, in lower case, means nothing of its own anywhere: what `quote_ident` leaves as
/// it is.
pub(crate) fn is_unreserved(word: &str) -> bool {
    is_column_name(word) && !is_in(COLUMNS, word)
}
