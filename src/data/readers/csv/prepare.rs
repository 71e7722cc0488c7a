//! The text of a table as the reader takes it: without lines above the table, with one separator, and
//! with decimal points. Lines keep their numbers.

use std::borrow::Cow;

use ::csv::{ByteRecord, ReaderBuilder, Trim};

use crate::data::labels::quote;
use crate::data::readers::columns::Role;
use crate::data::readers::options::{Decimal, ReadOptions};
use crate::data::readers::table::has_thousands;

/// Lines at the start of a text that its form is told from.
const LOOKED_AT: usize = 20;

/// A text that is prepared.
pub(super) struct Prepared<'a> {
    text: Cow<'a, [u8]>,
    pub(super) separator: u8,
    /// The text with decimal points, where its commas may be decimal marks and no flag says so.
    pointed: Option<Vec<u8>>,
}

impl Prepared<'_> {
    /// The text in which commas are decimal marks wherever they can be: enough to tell header and columns.
    pub(super) fn supposed(&self) -> &[u8] {
        self.pointed.as_deref().unwrap_or(&self.text)
    }

    /// The text to read instead, where the columns in use say that commas are no decimal marks.
    pub(super) fn instead(&self, roles: &[Role], source: &str) -> Option<&[u8]> {
        self.pointed.as_ref()?;
        if !has_decimal_commas(&self.text, self.separator, roles) {
            return Some(&self.text);
        }
        log::warn!(
            "{source}: commas in numbers are taken as decimal marks; --decimal comma says so, and \
             --decimal point refuses them"
        );
        None
    }
}

/// Prepares a text.
pub(super) fn prepare<'a>(
    text: &'a [u8],
    options: &ReadOptions,
    needs_columns: bool,
    source: &str,
) -> Prepared<'a> {
    let decimal = options.decimal;
    let said = sep_line(text);
    let after = said.as_ref().map_or(0, |line| line.end);
    let mut separator = options.delimiter.or(said.map(|line| line.separator));
    let mut start = after;
    if needs_columns {
        start = after_comments(text, start, separator, decimal);
        start = after_titles(text, start, separator, decimal, source);
    }
    let table = &text[start..];
    let found = separator.unwrap_or_else(|| {
        let plain = separator_of(table, decimal);
        if needs_columns && !first_line(table).contains(&plain) {
            separated_otherwise(table, decimal).unwrap_or(plain)
        } else {
            plain
        }
    });
    separator = Some(found);
    let mut text = without_lines_above(text, start);
    if separator == Some(b' ') {
        text = Cow::Owned(by_tabs(&text));
        separator = Some(b'\t');
    }
    let separator = separator.unwrap_or(b',');
    let mut pointed = None;
    match decimal {
        Some(Decimal::Comma) => {
            if let Some(with_points) = with_points(&text, separator) {
                text = Cow::Owned(with_points);
            }
        }
        None if separator != b',' => pointed = with_points(&text, separator),
        _ => {}
    }
    Prepared {
        text,
        separator,
        pointed,
    }
}

/// The text with a point for the comma of every number; `None` without one.
fn with_points(text: &[u8], separator: u8) -> Option<Vec<u8>> {
    if !has_comma_in_number(text) {
        return None;
    }
    let place = |field: Field| Some(field.start + decimal_comma(&text[field.start..field.end])?);
    let mut places = fields(text, separator).filter_map(place).peekable();
    places.peek()?;
    let mut pointed = text.to_vec();
    places.for_each(|at| pointed[at] = b'.');
    Some(pointed)
}

/// A line that tells the separator.
struct SepLine {
    separator: u8,
    end: usize,
}

/// The line `sep=;` that Excel reads, at the start of a text.
fn sep_line(text: &[u8]) -> Option<SepLine> {
    let line = first_line(text);
    let trimmed = line.trim_ascii_end();
    let trimmed = trimmed
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(trimmed);
    let mark = trimmed.get(..4)?;
    if !mark.eq_ignore_ascii_case(b"sep=") {
        return None;
    }
    let separator = match &trimmed[4..] {
        [one] => *one,
        // The line is trimmed, and the separator a tab or a blank.
        [] => *line.get(4)?,
        _ => return None,
    };
    Some(SepLine {
        separator,
        end: line.len(),
    })
}

/// The first line, without its end.
fn first_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    &text[..end.unwrap_or(text.len())]
}

/// The start of the first line that has something in it, from `start` on.
fn next_line(text: &[u8], start: usize) -> usize {
    let blank = |&&byte: &&u8| byte.is_ascii_whitespace() && byte != b'\t';
    start + text[start..].iter().take_while(blank).count()
}

/// The place below the comments at the start. A line in the form of those below is the table's header,
/// whatever it begins with.
fn after_comments(
    text: &[u8],
    start: usize,
    separator: Option<u8>,
    decimal: Option<Decimal>,
) -> usize {
    let mut lines = Vec::new();
    let mut at = next_line(text, start);
    while text.get(at).is_some_and(|byte| matches!(byte, b'#' | b'%')) {
        let end = at + first_line(&text[at..]).len();
        lines.push(at..end);
        at = next_line(text, end);
    }
    let (Some(last), false) = (lines.last(), at >= text.len()) else {
        return start;
    };
    let separator = separator.unwrap_or_else(|| separator_of(&text[at..], decimal));
    let count = |line: &[u8]| line.split(|&byte| byte == separator).count();
    let below = count(first_line(&text[at..]));
    if below > 1 && count(&text[last.clone()]) == below {
        last.start
    } else {
        at
    }
}

/// The place below a title, which is said. A title is a line without a separator above two rows or more
/// that all have the same number of fields.
fn after_titles(
    text: &[u8],
    start: usize,
    separator: Option<u8>,
    decimal: Option<Decimal>,
    source: &str,
) -> usize {
    let rows = |separator: u8| -> Vec<ByteRecord> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .trim(Trim::All)
            .from_reader(&text[start..]);
        let records = reader.byte_records().take(LOOKED_AT);
        records.map_while(std::result::Result::ok).collect()
    };
    // Readers take time to make: only for separators that lines below the first have.
    let mut lines = text[start..].split(|&byte| byte == b'\n').take(LOOKED_AT);
    let first = lines.next().unwrap_or_default();
    let below: Vec<&[u8]> = lines.collect();
    let mut candidates = separator.map_or_else(|| b",;\t|".to_vec(), |one| vec![one]);
    let in_numbers = commas_are_in_numbers(&text[start..], decimal);
    candidates.retain(|&separator| {
        let is_there = |line: &&[u8]| match separator {
            b',' if in_numbers => count(line, b',', true) > 0,
            _ => line.contains(&separator),
        };
        below.iter().any(is_there)
    });
    if let [only] = candidates[..]
        && first.contains(&only)
        && !first.contains(&b'"')
    {
        return start;
    }
    let most = |rows: &Vec<ByteRecord>| rows.last().map_or(0, ByteRecord::len);
    // On equal counts the first candidate.
    let table = candidates
        .into_iter()
        .rev()
        .map(rows)
        .max_by_key(most)
        .unwrap_or_default();
    let fields = most(&table);
    let above = table.iter().rposition(|row| row.len() != fields);
    let Some(above) = above.map(|at| at + 1) else {
        return start;
    };
    let is_number =
        |field: &[u8]| std::str::from_utf8(field).is_ok_and(|text| text.parse::<f64>().is_ok());
    let header_below = |row: &ByteRecord| !row.iter().any(is_number);
    let is_title = fields > 1
        && table.len() >= above + 2
        && table[..above].iter().all(|row| row.len() == 1)
        && (fields > 2 || header_below(&table[above]));
    if !is_title {
        return start;
    }
    let place = table[above].position().map_or(0, ::csv::Position::byte);
    let place = next_line(text, start + usize::try_from(place).unwrap_or(0));
    let title = String::from_utf8_lossy(table[0].get(0).unwrap_or_default()).into_owned();
    let lines = if above == 1 { "line" } else { "lines" };
    log::warn!(
        "{source}: the {lines} above the table, {} left out",
        if above == 1 {
            format!("{}, is", quote(&title))
        } else {
            format!("from {} on, are", quote(&title))
        }
    );
    place
}

/// The separator of the first line: the most frequent candidate outside quotes, the comma if none.
fn separator_of(text: &[u8], decimal: Option<Decimal>) -> u8 {
    const CANDIDATES: [u8; 3] = [b',', b';', b'\t'];
    let in_numbers = commas_are_in_numbers(text, decimal);
    let line = text.trim_ascii_start();
    // On equal counts the first candidate.
    let mut best = (b',', 0);
    for separator in CANDIDATES {
        let times = count(line, separator, in_numbers);
        if times > best.1 {
            best = (separator, times);
        }
    }
    match best {
        // A column of numbers, whose commas separate nothing.
        (_, 0) if in_numbers => b';',
        (separator, _) => separator,
    }
}

/// The number of times that a separator stands in the first line outside quotes; of commas between
/// digits none where they are in numbers.
fn count(text: &[u8], separator: u8, in_numbers: bool) -> usize {
    let (mut times, mut quoted) = (0, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted || byte != separator => {}
            b',' if in_numbers && is_between_digits(text, at) => {}
            _ => times += 1,
        }
    }
    times
}

fn is_between_digits(text: &[u8], at: usize) -> bool {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    at > 0 && digit(at - 1) && digit(at + 1)
}

/// True where commas between digits are no separators: the flag says so, or another separator splits
/// the last of the first lines evenly, and all such commas are then in numbers.
fn commas_are_in_numbers(text: &[u8], decimal: Option<Decimal>) -> bool {
    if let Some(decimal) = decimal {
        return decimal == Decimal::Comma;
    }
    let lines: Vec<&[u8]> = text
        .split(|&byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(LOOKED_AT)
        .collect();
    let splits = |separator: u8| {
        let times = |line: &&&[u8]| count(line, separator, false);
        let most = lines.last().map_or(0, |line| times(&line));
        let table = lines.iter().rev().take_while(|line| times(line) == most);
        let mut with_commas = table.flat_map(|line| {
            let of_line = fields(line, separator).map(|field| &line[field.start..field.end]);
            of_line.filter(|field| has_comma_in_number(field))
        });
        let is_number = |field: &[u8]| decimal_comma(field).is_some() || has_groups(field);
        most > 0 && with_commas.next().is_some_and(is_number) && with_commas.all(is_number)
    };
    [b';', b'\t', b'|'].into_iter().any(splits)
}

/// The separator of a text where it is neither comma, semicolon nor tab: the pipe, or blanks.
fn separated_otherwise(table: &[u8], decimal: Option<Decimal>) -> Option<u8> {
    let lines: Vec<&[u8]> = table
        .split(|&byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(LOOKED_AT)
        .collect();
    let same = |count: &dyn Fn(&[u8]) -> usize| {
        let first = lines.first().map_or(0, |line| count(line));
        first > 1 && lines.iter().all(|line| count(line) == first)
    };
    if same(&|line| line.split(|&byte| byte == b'|').count()) {
        return Some(b'|');
    }
    let words = |line: &[u8]| -> Vec<String> {
        let line = by_tabs(line);
        let words = line.split(|&byte| byte == b'\t');
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    };
    let with_comma = decimal == Some(Decimal::Comma);
    let is_number = |word: &String| {
        word.parse::<f64>().is_ok() || with_comma && decimal_comma(word.as_bytes()).is_some()
    };
    // Text of several words is no table.
    let has_numbers = |line: &&&[u8]| words(line).iter().any(is_number);
    let all_below = lines.len() > 1 && lines[1..].iter().all(|line| has_numbers(&line));
    (all_below && same(&|line| words(line).len())).then_some(b' ')
}

/// The text with the lines above `start` emptied: what is below keeps its line numbers.
fn without_lines_above(text: &[u8], start: usize) -> Cow<'_, [u8]> {
    if text[..start].trim_ascii().is_empty() {
        return Cow::Borrowed(text);
    }
    let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r');
    let mut kept: Vec<u8> = text[..start].iter().filter(is_end).copied().collect();
    kept.extend_from_slice(&text[start..]);
    Cow::Owned(kept)
}

/// The text with one tab for every run of blanks outside quotes, and none around a line.
fn by_tabs(text: &[u8]) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(text.len());
    let (mut quoted, mut is_pending, mut at_start) = (false, false, true);
    for &byte in text {
        match byte {
            b' ' | b'\t' if !quoted => is_pending = !at_start,
            b'\n' | b'\r' if !quoted => {
                (is_pending, at_start) = (false, true);
                spaced.push(byte);
            }
            _ => {
                if is_pending {
                    spaced.push(b'\t');
                }
                (is_pending, at_start) = (false, false);
                quoted ^= byte == b'"';
                spaced.push(byte);
            }
        }
    }
    spaced
}

/// True where a comma stands between two digits: most files have none.
fn has_comma_in_number(text: &[u8]) -> bool {
    let between =
        |three: &[u8]| three[1] == b',' && three[0].is_ascii_digit() && three[2].is_ascii_digit();
    text.windows(3).any(between)
}

/// True where commas are decimal marks in the columns that are in use: at least one cannot stand between
/// thousands, and no number has a point or two commas.
fn has_decimal_commas(text: &[u8], separator: u8, roles: &[Role]) -> bool {
    let mut is_sure = false;
    for field in fields(text, separator) {
        if matches!(roles.get(field.column), None | Some(Role::Ignored)) {
            continue;
        }
        let field = &text[field.start..field.end];
        if let Some(at) = decimal_comma(field) {
            let digits = |byte: &&u8| byte.is_ascii_digit();
            let before = field[..at].iter().filter(digits).count();
            let after = field[at + 1..].iter().take_while(|b| digits(b)).count();
            is_sure |= after != 3 || before > 3 || before == 1 && field[at - 1] == b'0';
        } else if field.contains(&b'.') && is_number(field)
            || std::str::from_utf8(field).is_ok_and(has_thousands)
        {
            return false;
        }
    }
    is_sure
}

/// True for a number whose commas stand between groups of three digits, such as 1,234,567.
fn has_groups(field: &[u8]) -> bool {
    let whole = field.split(|&byte| byte == b'.').next().unwrap_or_default();
    let mut groups = whole.split(|&byte| byte == b',').skip(1);
    groups.all(|group| group.len() == 3) && std::str::from_utf8(field).is_ok_and(has_thousands)
}

fn is_number(field: &[u8]) -> bool {
    std::str::from_utf8(field).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// The place of the comma in a number such as 1,5, −0,25 or 1,5e-3.
fn decimal_comma(field: &[u8]) -> Option<usize> {
    let at = field.iter().position(|&byte| byte == b',')?;
    let digit = |at: usize| field.get(at).is_some_and(u8::is_ascii_digit);
    if at == 0 || !digit(at - 1) || !digit(at + 1) {
        return None;
    }
    let mut pointed = field.to_vec();
    pointed[at] = b'.';
    is_number(&pointed).then_some(at)
}

/// A field of a text, without blanks and quotes around it.
struct Field {
    start: usize,
    end: usize,
    /// Its place in the line, from 0.
    column: usize,
}

/// The fields of a text.
fn fields(text: &[u8], separator: u8) -> impl Iterator<Item = Field> + '_ {
    let (mut at, mut next) = (0, 0);
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let column = next;
        let (start, mut quoted) = (at, false);
        while at < text.len() {
            let byte = text[at];
            quoted ^= byte == b'"';
            if !quoted && (byte == separator || byte == b'\n' || byte == b'\r') {
                break;
            }
            at += 1;
        }
        let ends_line = text.get(at).is_some_and(|&byte| byte != separator);
        next = if ends_line { 0 } else { column + 1 };
        let (mut first, mut last) = (start, at);
        at += 1;
        let around = |byte: u8| byte == b' ' || byte == b'"';
        while first < last && around(text[first]) {
            first += 1;
        }
        while first < last && around(text[last - 1]) {
            last -= 1;
        }
        Some(Field {
            start: first,
            end: last,
            column,
        })
    })
}
