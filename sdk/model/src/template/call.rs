//! The functions that a template can call.

use std::cmp::Ordering;
use std::rc::Rc;

use super::eval::Machine;
use super::value::{Value, float};
use super::{Failure, MOST_BYTES};
use crate::problem::{shown, suggestion};

/// Every function, for hints.
const FUNCTIONS: [&str; 21] = [
    "and",
    "atoi",
    "eq",
    "ge",
    "gt",
    "index",
    "le",
    "len",
    "load_resource",
    "lt",
    "ne",
    "not",
    "or",
    "pick",
    "print",
    "printf",
    "println",
    "slice",
    "split",
    "toml",
    "withEnv",
];

/// The most parts that `split` makes.
const MOST_PARTS: usize = 100_000;

impl Machine<'_> {
    pub(super) fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
        let value = match name {
            "split" => self.split(&self.text(name, arguments)?)?,
            "atoi" => self.atoi(&self.text(name, arguments)?)?,
            "load_resource" => {
                let path = self.text(name, arguments)?;
                self.load(&path)?
            }
            "pick" => self.pick(arguments)?,
            "toml" => self.toml(self.only(name, arguments)?)?,
            "withEnv" => {
                let Value::Table(table) = self.only(name, arguments)? else { return Err(self.wants(name, "a table")) };
                let mut table = table.as_ref().clone();
                table.insert("Env".to_owned(), Value::Env);
                Value::Table(Rc::new(table))
            }
            "not" => Value::Bool(!self.only(name, arguments)?.is_true()),
            "len" => self.len(self.only(name, arguments)?)?,
            "index" => self.index(arguments)?,
            "slice" => self.slice(arguments)?,
            "eq" => {
                let [first, others @ ..] = arguments else { return Err(self.wants(name, "two arguments or more")) };
                if others.is_empty() {
                    return Err(self.wants(name, "two arguments or more"));
                }
                let mut any = false;
                for other in others {
                    any |= self.equal(first, other)?;
                }
                Value::Bool(any)
            }
            "ne" => {
                let [a, b] = arguments else { return Err(self.wants(name, "two arguments")) };
                Value::Bool(!self.equal(a, b)?)
            }
            "lt" | "le" | "gt" | "ge" => {
                let [a, b] = arguments else { return Err(self.wants(name, "two arguments")) };
                let order = self.order(a, b)?;
                Value::Bool(match name {
                    "lt" => order.is_some_and(Ordering::is_lt),
                    "le" => order.is_some_and(Ordering::is_le),
                    "gt" => order.is_some_and(Ordering::is_gt),
                    _ => order.is_some_and(Ordering::is_ge),
                })
            }
            "print" | "println" => print(arguments, name == "println"),
            "printf" => self.printf(arguments)?,
            // These two are called with their arguments unread; here they stand without any.
            "and" | "or" => return Err(self.wants(name, "an argument")),
            _ => {
                let hint = suggestion(name, "function", &FUNCTIONS);
                return Err(self.failure(format!("there is no function `{}`", shown(name))).with_hint(hint));
            }
        };
        if let Value::Text(text) = &value
            && text.len() > MOST_BYTES
        {
            return Err(self.failure(format!("`{name}` makes a text of more than {MOST_BYTES} bytes")));
        }
        Ok(value)
    }

    fn wants(&self, name: &str, what: &str) -> Failure {
        self.failure(format!("`{name}` takes {what}"))
    }

    fn only<'v>(&self, name: &str, arguments: &'v [Value]) -> Result<&'v Value, Failure> {
        match arguments {
            [value] => Ok(value),
            _ => Err(self.wants(name, &format!("one argument, not {}", arguments.len()))),
        }
    }

    fn text(&self, name: &str, arguments: &[Value]) -> Result<Rc<str>, Failure> {
        match self.only(name, arguments)? {
            Value::Text(text) => Ok(Rc::clone(text)),
            other => Err(self.wants(name, &format!("a text, not {}", other.kind()))),
        }
    }

    fn split(&self, text: &str) -> Result<Value, Failure> {
        if text.matches(',').count() >= MOST_PARTS {
            return Err(self.failure(format!("`split` makes more than {MOST_PARTS} parts")));
        }
        Ok(Value::List(Rc::new(text.split(',').map(Value::from).collect())))
    }

    fn atoi(&self, text: &str) -> Result<Value, Failure> {
        if let Ok(n) = text.parse() {
            return Ok(Value::Int(n));
        }
        let hint = if text.is_empty() { "is the variable of the environment set?" } else { "use digits only" };
        Err(self.failure(format!("`atoi` cannot read `{}` as a whole number", shown(text))).with_hint(hint))
    }

    fn load(&mut self, path: &str) -> Result<Value, Failure> {
        if let Some(value) = self.loaded.get(path) {
            return Ok(value.clone());
        }
        let text = self.resolver.read(path).map_err(|why| {
            let hint = "the path is relative to the composition";
            self.failure(format!("`load_resource` cannot read `{}`: {why}", shown(path))).with_hint(hint)
        })?;
        let table = text.parse::<toml::Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            self.failure(format!("`{}` is not TOML in line {line}: {}", shown(path), error.message()))
        })?;
        let value = Value::of_toml(toml::Value::Table(table));
        self.loaded.insert(path.to_owned(), value.clone());
        Ok(value)
    }

    fn pick(&self, arguments: &[Value]) -> Result<Value, Failure> {
        let [Value::Table(table), Value::Text(key)] = arguments else {
            return Err(self.wants("pick", "a table and a key").with_hint("write `pick TABLE \"key\"`"));
        };
        if let Some(value) = table.get(key.as_ref()) {
            return Ok(Value::Table(Rc::new([(key.as_ref().to_owned(), value.clone())].into())));
        }
        let keys: Vec<&str> = table.keys().map(String::as_str).collect();
        let hint = suggestion(key, "key", &keys);
        Err(self.failure(format!("`pick` finds no key `{}`", shown(key))).with_hint(hint))
    }

    fn toml(&self, value: &Value) -> Result<Value, Failure> {
        let Some(made) = value.to_toml() else {
            let hint = "TOML holds neither the environment nor what has no value";
            return Err(self.failure(format!("`toml` cannot write {}", value.kind())).with_hint(hint));
        };
        match made {
            toml::Value::Table(table) => match toml::to_string(&table) {
                Ok(text) => Ok(text.as_str().into()),
                Err(error) => Err(self.failure(format!("`toml` cannot write this table: {error}"))),
            },
            // Testground refuses what is no table; as the value of a key it is as clear.
            other => Ok(other.to_string().as_str().into()),
        }
    }

    fn len(&self, value: &Value) -> Result<Value, Failure> {
        let length = match value {
            Value::Text(text) => text.len(),
            Value::List(items) => items.len(),
            Value::Table(table) => table.len(),
            other => return Err(self.failure(format!("`len` cannot measure {}", other.kind()))),
        };
        Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
    }

    fn index(&self, arguments: &[Value]) -> Result<Value, Failure> {
        let [first, keys @ ..] = arguments else { return Err(self.wants("index", "a list or table and keys")) };
        let mut value = first.clone();
        for key in keys {
            value = match (&value, key) {
                (Value::List(items), Value::Int(n)) => {
                    let item = usize::try_from(*n).ok().and_then(|n| items.get(n));
                    item.cloned().ok_or_else(|| {
                        self.failure(format!("`index` asks for item {n} of a list of {}", items.len()))
                            .with_hint("items count from 0")
                    })?
                }
                (Value::List(_), Value::Text(text)) => {
                    let hint = format!("write `(atoi \"{}\")`", shown(text));
                    return Err(self.failure("`index` needs a number for a list, not a text").with_hint(hint));
                }
                (Value::Table(table), Value::Text(key)) => table.get(key.as_ref()).cloned().unwrap_or(Value::Nil),
                (Value::Env, Value::Text(key)) => self.env(key),
                (of, key) => return Err(self.failure(format!("`index` cannot use {} in {}", key.kind(), of.kind()))),
            };
        }
        Ok(value)
    }

    fn slice(&self, arguments: &[Value]) -> Result<Value, Failure> {
        let [value, bounds @ ..] = arguments else { return Err(self.wants("slice", "a list or text and bounds")) };
        let length = match value {
            Value::List(items) => items.len(),
            Value::Text(text) => text.len(),
            other => return Err(self.failure(format!("`slice` cannot cut {}", other.kind()))),
        };
        let bound = |i: usize, fallback: usize| match bounds.get(i) {
            None => Some(fallback),
            Some(Value::Int(n)) => usize::try_from(*n).ok(),
            Some(_) => None,
        };
        let range = bound(0, 0).zip(bound(1, length)).filter(|(from, to)| from <= to && *to <= length);
        let cut = range.filter(|_| bounds.len() <= 2).and_then(|(from, to)| match value {
            Value::List(items) => Some(Value::List(Rc::new(items[from..to].to_vec()))),
            Value::Text(text) => text.get(from..to).map(Value::from),
            _ => None,
        });
        cut.ok_or_else(|| self.failure(format!("`slice` has bounds that do not fit a length of {length}")))
    }

    fn equal(&self, a: &Value, b: &Value) -> Result<bool, Failure> {
        match (a, b) {
            (Value::Nil, _) | (_, Value::Nil) => Ok(a == b),
            (Value::List(_) | Value::Table(_) | Value::Env, _) | (_, Value::List(_) | Value::Table(_) | Value::Env) => {
                Err(self.incomparable(a, b))
            }
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Time(a), Value::Time(b)) => Ok(a == b),
            _ => self.order(a, b).map(|order| order == Some(Ordering::Equal)),
        }
    }

    fn order(&self, a: &Value, b: &Value) -> Result<Option<Ordering>, Failure> {
        #[expect(clippy::cast_precision_loss, reason = "a mixed comparison is one of floats")]
        match (a, b) {
            (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
            (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
            (Value::Int(a), Value::Float(b)) => Ok((*a as f64).partial_cmp(b)),
            (Value::Float(a), Value::Int(b)) => Ok(a.partial_cmp(&(*b as f64))),
            (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
            _ => Err(self.incomparable(a, b)),
        }
    }

    fn incomparable(&self, a: &Value, b: &Value) -> Failure {
        let failure = self.failure(format!("{} and {} cannot be compared", a.kind(), b.kind()));
        match (a, b) {
            (Value::Text(_), Value::Int(_)) | (Value::Int(_), Value::Text(_)) => {
                failure.with_hint("turn the text into a number with `atoi`")
            }
            _ => failure,
        }
    }

    /// `%v`, `%s`, `%d`, `%q`, `%t`, `%f`, `%g`, `%x` and `%%`, with width, `-`, `0` and a number of decimals.
    fn printf(&self, arguments: &[Value]) -> Result<Value, Failure> {
        let [Value::Text(format), arguments @ ..] = arguments else {
            return Err(self.wants("printf", "a format in quotes first"));
        };
        let mut out = String::new();
        let mut arguments = arguments.iter();
        let mut rest = format.as_ref();
        while let Some(percent) = rest.find('%') {
            out.push_str(&rest[..percent]);
            rest = &rest[percent + 1..];
            let spec = rest.find(|c: char| !matches!(c, '-' | '+' | '0'..='9' | '.')).unwrap_or(rest.len());
            let (flags, verb) = (&rest[..spec], rest[spec..].chars().next());
            let Some(verb) = verb else { return Err(self.failure("`printf` ends in the middle of a `%`")) };
            rest = &rest[spec + verb.len_utf8()..];
            if verb == '%' {
                out.push('%');
                continue;
            }
            let Some(value) = arguments.next() else {
                return Err(self.failure("`printf` has fewer arguments than its format asks for"));
            };
            self.formatted(&mut out, flags, verb, value)?;
            if out.len() > MOST_BYTES {
                break;
            }
        }
        out.push_str(rest);
        if arguments.next().is_some() && out.len() <= MOST_BYTES {
            return Err(self.failure("`printf` has more arguments than its format asks for"));
        }
        Ok(out.as_str().into())
    }

    fn formatted(&self, out: &mut String, flags: &str, verb: char, value: &Value) -> Result<(), Failure> {
        let bad = || self.failure(format!("`printf` cannot write {} as `%{flags}{verb}`", value.kind()));
        let left = flags.starts_with('-');
        let (width, decimals) = match flags.trim_start_matches(['-', '+']).split_once('.') {
            Some((width, decimals)) => (width, Some(decimals.parse::<usize>().or(Err(bad()))?)),
            None => (flags.trim_start_matches(['-', '+']), None),
        };
        let zeros = width.starts_with('0') && !left;
        let width = if width.is_empty() { 0 } else { width.parse::<usize>().or(Err(bad()))? };
        if width > 1000 || decimals.is_some_and(|n| n > 100) {
            return Err(self.failure(format!("`printf` has too large a width in `%{flags}{verb}`")));
        }
        let mut text = String::new();
        match (verb, value) {
            (_, Value::Nil | Value::Env) => return Err(bad()),
            ('v' | 's', Value::Float(x)) if verb == 'v' => text = float(*x),
            ('v', value) | ('s', value @ (Value::Text(_) | Value::Time(_) | Value::List(_))) => {
                value.write(&mut text, MOST_BYTES);
            }
            ('t', Value::Bool(yes)) => text = yes.to_string(),
            ('d', Value::Int(n)) => text = n.to_string(),
            ('x', Value::Int(n)) => text = if *n < 0 { format!("-{:x}", n.unsigned_abs()) } else { format!("{n:x}") },
            ('q', Value::Text(quoted)) => text = format!("{quoted:?}"),
            ('f', Value::Float(x)) => text = format!("{x:.*}", decimals.unwrap_or(6)),
            ('g', Value::Float(x)) => text = float(*x),
            _ => return Err(bad()),
        }
        let blanks = width.saturating_sub(text.chars().count());
        match (left, zeros && matches!(value, Value::Int(_) | Value::Float(_))) {
            (true, _) => out.extend([text.as_str(), &" ".repeat(blanks)]),
            (false, true) => {
                let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
                out.extend([sign, &"0".repeat(blanks), digits]);
            }
            (false, false) => out.extend([&" ".repeat(blanks), text.as_str()]),
        }
        Ok(())
    }
}

/// Go's `Sprint`: a blank between two arguments when neither is a text; `Sprintln`: always one.
fn print(arguments: &[Value], line: bool) -> Value {
    let mut out = String::new();
    let mut after_text = true;
    for (i, value) in arguments.iter().enumerate() {
        let text = matches!(value, Value::Text(_));
        if i > 0 && (line || (!text && !after_text)) {
            out.push(' ');
        }
        value.write(&mut out, MOST_BYTES);
        after_text = text;
    }
    if line {
        out.push('\n');
    }
    out.as_str().into()
}
