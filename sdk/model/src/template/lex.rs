//! Cuts a template into texts and actions, and an action into tokens.

use super::Failure;
use crate::problem::shown;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece<'s> {
    /// Text that goes out as it is, after trim markers took their share, with its first line.
    Text(&'s str, u32),
    /// The tokens between `{{` and `}}`, with the line of the `{{`.
    Action(Vec<Token>, u32),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u32,
    /// Whether a blank stands before it: `.a.b` is one field of a field, `.a .b` are two arguments.
    pub(super) spaced: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A keyword or a function.
    Word(String),
    /// `.name`
    Field(String),
    /// `.`
    Dot,
    /// `$` or `$name`, without the `$`.
    Variable(String),
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Open,
    Close,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    Comma,
}

/// Where a byte is in the template.
struct Place<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl Place<'_> {
    fn line(&self, byte: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= byte)).unwrap_or(u32::MAX)
    }
}

pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, Failure> {
    let newlines = source.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
    let place = Place { source, starts: std::iter::once(0).chain(newlines).collect() };
    let mut out = Vec::new();
    let (mut at, mut trim) = (0, false);
    loop {
        let rest = &source[at..];
        let open = rest.find("{{");
        let mut text = &rest[..open.unwrap_or(rest.len())];
        if trim {
            text = text.trim_start_matches(BLANKS);
        }
        let from = at + open.unwrap_or(rest.len()) - text.len();
        let Some(open) = open else {
            if !text.is_empty() {
                out.push(Piece::Text(text, place.line(from)));
            }
            return Ok(out);
        };
        let begin = at + open;
        let mut inside = begin + 2;
        if source[inside..].starts_with('-') && source[inside + 1..].starts_with(BLANKS) {
            text = text.trim_end_matches(BLANKS);
            inside += 1;
        }
        if !text.is_empty() {
            out.push(Piece::Text(text, place.line(from)));
        }
        let line = place.line(begin);
        if let Some(after) = comment(&place, inside, line)? {
            (at, trim) = after;
            continue;
        }
        let (tokens, end, trims) = action(&place, inside, line)?;
        if tokens.is_empty() {
            return Err(Failure::new(line, "an action is empty").with_hint("put a value between `{{` and `}}`"));
        }
        out.push(Piece::Action(tokens, line));
        (at, trim) = (end, trims);
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Where a comment's action ends, and whether it trims, if there is a comment.
fn comment(place: &Place<'_>, inside: usize, line: u32) -> Result<Option<(usize, bool)>, Failure> {
    let body = place.source[inside..].trim_start_matches(BLANKS);
    let Some(body) = body.strip_prefix("/*") else { return Ok(None) };
    let Some(close) = body.find("*/") else { return Err(Failure::new(line, "a comment is not closed")) };
    let after = place.source.len() - body.len() + close + 2;
    match closing(&place.source[after..]) {
        Some((length, trim)) => Ok(Some((after + length, trim))),
        None => Err(Failure::new(line, "a comment must be alone in its action").with_hint("write `{{/* … */}}`")),
    }
}

/// The length of `}}` or ` -}}` at the beginning of a text, and whether it trims.
fn closing(text: &str) -> Option<(usize, bool)> {
    let bare = text.trim_start_matches(BLANKS);
    let blanks = text.len() - bare.len();
    if blanks > 0 && bare.starts_with("-}}") {
        return Some((blanks + 3, true));
    }
    bare.starts_with("}}").then_some((blanks + 2, false))
}

fn action(place: &Place<'_>, inside: usize, line: u32) -> Result<(Vec<Token>, usize, bool), Failure> {
    let source = place.source;
    let mut tokens = Vec::new();
    let mut at = inside;
    loop {
        if let Some((length, trim)) = closing(&source[at..]) {
            return Ok((tokens, at + length, trim));
        }
        let rest = source[at..].trim_start_matches(BLANKS);
        let spaced = rest.len() < source.len() - at;
        at = source.len() - rest.len();
        let here = place.line(at);
        let Some(first) = rest.chars().next() else {
            return Err(Failure::new(line, "an action is not closed").with_hint("end it with `}}`"));
        };
        let (kind, length) = token(rest, first, here)?;
        tokens.push(Token { kind, line: here, spaced });
        at += length;
    }
}

fn token(rest: &str, first: char, line: u32) -> Result<(Kind, usize), Failure> {
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    Ok(match first {
        '|' => (Kind::Pipe, 1),
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        ',' => (Kind::Comma, 1),
        ':' if rest.starts_with(":=") => (Kind::Declare, 2),
        '=' => (Kind::Assign, 1),
        '"' => quoted(rest, line)?,
        '`' => {
            let Some(end) = rest[1..].find('`') else { return Err(unclosed(line)) };
            (Kind::Text(rest[1..=end].replace('\r', "")), end + 2)
        }
        '\'' => character(rest, line)?,
        '$' => {
            let length = word(&rest[1..]);
            (Kind::Variable(rest[1..=length].to_owned()), length + 1)
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let length = word(&rest[1..]);
            let kind = if length == 0 { Kind::Dot } else { Kind::Field(rest[1..=length].to_owned()) };
            (kind, length + 1)
        }
        c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => number(rest, line)?,
        c if c.is_alphabetic() || c == '_' => {
            let length = word(rest);
            (Kind::Word(rest[..length].to_owned()), length)
        }
        c => {
            return Err(Failure::new(line, format!("`{}` has no meaning in an action", shown(&c.to_string()))));
        }
    })
}

fn unclosed(line: u32) -> Failure {
    Failure::new(line, "a text in an action is not closed").with_hint("end it with the quote that it begins with")
}

fn quoted(rest: &str, line: u32) -> Result<(Kind, usize), Failure> {
    let mut out = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((Kind::Text(out), i + 2)),
            '\n' => return Err(unclosed(line)),
            '\\' => out.push(escape(&mut chars, line)?),
            c => out.push(c),
        }
    }
    Err(unclosed(line))
}

fn character(rest: &str, line: u32) -> Result<(Kind, usize), Failure> {
    let mut chars = rest[1..].char_indices();
    let c = match chars.next() {
        Some((_, '\\')) => escape(&mut chars, line)?,
        Some((_, c)) if c != '\'' && c != '\n' => c,
        _ => return Err(unclosed(line)),
    };
    match chars.next() {
        Some((i, '\'')) => Ok((Kind::Int(i64::from(u32::from(c))), i + 2)),
        _ => Err(unclosed(line)),
    }
}

/// What stands for a backslash and the letters after it, as in Go.
fn escape(chars: &mut std::str::CharIndices<'_>, line: u32) -> Result<char, Failure> {
    let bad = || Failure::new(line, "a text holds a `\\` that Go does not know").with_hint("write `\\\\` for one");
    let (_, letter) = chars.next().ok_or_else(bad)?;
    let digits = match letter {
        'n' => return Ok('\n'),
        't' => return Ok('\t'),
        'r' => return Ok('\r'),
        'a' => return Ok('\u{7}'),
        'b' => return Ok('\u{8}'),
        'f' => return Ok('\u{c}'),
        'v' => return Ok('\u{b}'),
        '\\' | '"' | '\'' => return Ok(letter),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return Err(bad()),
    };
    let mut code = 0;
    for _ in 0..digits {
        let (_, digit) = chars.next().ok_or_else(bad)?;
        code = code * 16 + digit.to_digit(16).ok_or_else(bad)?;
    }
    char::from_u32(code).ok_or_else(bad)
}

fn number(rest: &str, line: u32) -> Result<(Kind, usize), Failure> {
    let signs = usize::from(rest.starts_with(['+', '-']));
    let mut length = signs;
    let bytes = rest.as_bytes();
    while let Some(b) = bytes.get(length) {
        let exponent = length > signs && matches!(bytes[length - 1], b'e' | b'E') && !rest[signs..].starts_with("0x");
        if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_') || (exponent && matches!(b, b'+' | b'-')) {
            length += 1;
        } else {
            break;
        }
    }
    let text = rest[..length].replace('_', "");
    let (sign, digits) = text.split_at(signs);
    let lower = digits.to_ascii_lowercase();
    let radix = match lower.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    let bare = if radix == 10 { lower.as_str() } else { &lower[2..] };
    let int = i64::from_str_radix(&format!("{sign}{bare}"), radix).ok().filter(|_| !bare.starts_with(['+', '-']));
    if let Some(n) = int {
        return Ok((Kind::Int(n), length));
    }
    let float = text.parse::<f64>().ok().filter(|x| x.is_finite() && radix == 10);
    match float {
        Some(x) => Ok((Kind::Float(x), length)),
        None => Err(Failure::new(line, format!("`{}` is no number", shown(&rest[..length.max(1)])))),
    }
}
