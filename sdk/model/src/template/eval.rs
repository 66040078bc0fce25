//! Walks a template's tree and writes what it makes.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::parse::{Base, Branch, Command, Node, Pipeline, Template, Term};
use super::value::Value;
use super::{DEEPEST, Failure, Filled, MOST_BYTES, MOST_FAILURES, MOST_STEPS, Resolver};
use crate::problem::{nearest, shown};

/// Fills a template in, or says all that is wrong with it: what one action cannot print does not hide the next.
pub(super) fn run(template: &Template<'_>, resolver: &dyn Resolver) -> Result<Filled, Vec<Failure>> {
    let root = Value::Table(Rc::new(BTreeMap::from([("Env".to_owned(), Value::Env)])));
    let mut machine = Machine {
        template,
        resolver,
        out: Filled { text: String::new(), lines: vec![1] },
        fresh: true,
        variables: vec![(String::new(), root.clone())],
        loaded: BTreeMap::new(),
        failures: Vec::new(),
        steps: 0,
        depth: 0,
        line: 1,
    };
    if let Err(last) = machine.block(&template.main, &root) {
        machine.failures.push(last);
    }
    if machine.failures.is_empty() { Ok(machine.out) } else { Err(machine.failures) }
}

pub(super) struct Machine<'t> {
    template: &'t Template<'t>,
    pub(super) resolver: &'t dyn Resolver,
    out: Filled,
    /// Whether nothing has been written into the last line yet.
    fresh: bool,
    /// Names and values, innermost last; the empty name is `$`.
    variables: Vec<(String, Value)>,
    pub(super) loaded: BTreeMap<String, Value>,
    /// What actions that print could not print.
    failures: Vec<Failure>,
    steps: u32,
    depth: u32,
    pub(super) line: u32,
}

enum Flow {
    On,
    Break,
    Continue,
}

impl Machine<'_> {
    pub(super) fn failure(&self, text: impl Into<String>) -> Failure {
        Failure::new(self.line, text)
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(self.failure(format!("the template takes more than {MOST_STEPS} steps")));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let hint = "does a template call itself?";
            return Err(self.failure(format!("blocks and templates lie more than {DEEPEST} deep")).with_hint(hint));
        }
        Ok(())
    }

    /// Writes a text; `line` is where it begins in the template, and it goes on from there if `source` is set.
    fn write(&mut self, text: &str, line: u32, source: bool) -> Result<(), Failure> {
        if self.out.text.len() + text.len() > MOST_BYTES {
            return Err(self.failure(format!("the template makes more than {MOST_BYTES} bytes")));
        }
        let mut line = line;
        for part in text.split_inclusive('\n') {
            if self.fresh
                && let Some(last) = self.out.lines.last_mut()
            {
                *last = line;
            }
            self.fresh = part.ends_with('\n');
            if self.fresh {
                line = if source { line.saturating_add(1) } else { line };
                self.out.lines.push(line);
            }
        }
        self.out.text.push_str(text);
        Ok(())
    }

    fn block(&mut self, nodes: &[Node<'_>], dot: &Value) -> Result<Flow, Failure> {
        self.deeper()?;
        let outside = self.variables.len();
        let mut flow = Flow::On;
        for node in nodes {
            flow = self.node(node, dot)?;
            if !matches!(flow, Flow::On) {
                break;
            }
        }
        self.variables.truncate(outside);
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &Node<'_>, dot: &Value) -> Result<Flow, Failure> {
        self.step()?;
        match node {
            Node::Text(text, line) => self.write(text, *line, true)?,
            // Setting a variable writes nothing; without the variable nothing that follows makes sense.
            Node::Output(pipeline) if !pipeline.variables.is_empty() => drop(self.pipeline(pipeline, dot)?),
            Node::Output(pipeline) => {
                let depth = self.depth;
                let printed = self.pipeline(pipeline, dot).and_then(|value| {
                    self.line = pipeline.line;
                    self.output(&value, pipeline)
                });
                if let Err(failure) = printed {
                    self.depth = depth;
                    self.go_on(failure)?;
                }
            }
            Node::Call { name, argument, line } => {
                self.line = *line;
                let value = match argument {
                    Some(pipeline) => self.pipeline(pipeline, dot)?,
                    None => Value::Nil,
                };
                self.call_template(name, &value, *line)?;
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => self.range(branch, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    /// Keeps a failure for the end. What a loop says again is said once; too many end the template.
    fn go_on(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.failures.len() + 1 >= MOST_FAILURES {
            return Err(failure);
        }
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
        Ok(())
    }

    fn output(&mut self, value: &Value, pipeline: &Pipeline) -> Result<(), Failure> {
        match value {
            Value::Nil => {
                let what = match pipeline.commands.as_slice() {
                    [Command { terms, .. }] if terms.len() == 1 => name_of(&terms[0]),
                    _ => None,
                };
                let text = what
                    .map_or_else(|| "there is no value to write".to_owned(), |name| format!("`{name}` has no value"));
                Err(self.failure(text).with_hint("give a fallback with `or`: `{{ or .x \"…\" }}`"))
            }
            Value::Env => {
                let hint = "write the name of a variable: `{{ .Env.HOME }}`";
                Err(self.failure("the whole environment cannot be written").with_hint(hint))
            }
            value => {
                let mut text = String::new();
                value.write(&mut text, MOST_BYTES);
                self.write(&text, pipeline.line, false)
            }
        }
    }

    fn call_template(&mut self, name: &str, value: &Value, line: u32) -> Result<(), Failure> {
        let Some(body) = self.template.named.get(name) else {
            let known = nearest(name, self.template.named.keys().map(String::as_str));
            let hint = known.map_or_else(
                || format!("add `{{{{ define \"{}\" }}}}…{{{{ end }}}}`", shown(name)),
                |near| format!("did you mean `{}`?", shown(near)),
            );
            return Err(Failure::new(line, format!("there is no template `{}`", shown(name))).with_hint(hint));
        };
        // A template sees no variables of its caller; `$` is what it was given.
        let callers = std::mem::replace(&mut self.variables, vec![(String::new(), value.clone())]);
        self.block(body, value)?;
        self.variables = callers;
        Ok(())
    }

    fn branch(&mut self, branch: &Branch<'_>, dot: &Value, sets_dot: bool) -> Result<Flow, Failure> {
        let outside = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = if !value.is_true() {
            self.block(&branch.otherwise, dot)?
        } else if sets_dot {
            self.block(&branch.then, &value)?
        } else {
            self.block(&branch.then, dot)?
        };
        self.variables.truncate(outside);
        Ok(flow)
    }

    fn range(&mut self, branch: &Branch<'_>, dot: &Value) -> Result<(), Failure> {
        let outside = self.variables.len();
        let over = self.commands(&branch.pipeline, dot)?;
        let one = |machine: &mut Self, key: Value, value: Value| {
            machine.step()?;
            let inside = machine.variables.len();
            match branch.pipeline.variables.as_slice() {
                [] => {}
                [name] => machine.set(name, value.clone(), branch.pipeline.declares)?,
                names => {
                    machine.set(&names[0], key, branch.pipeline.declares)?;
                    machine.set(&names[1], value.clone(), branch.pipeline.declares)?;
                }
            }
            let flow = machine.block(&branch.then, &value)?;
            machine.variables.truncate(inside);
            Ok(!matches!(flow, Flow::Break))
        };
        let mut any = false;
        match &over {
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    any = true;
                    if !one(self, Value::Int(i64::try_from(i).unwrap_or(i64::MAX)), item.clone())? {
                        break;
                    }
                }
            }
            Value::Table(table) => {
                for (key, item) in table.iter() {
                    any = true;
                    if !one(self, key.as_str().into(), item.clone())? {
                        break;
                    }
                }
            }
            Value::Int(n) => {
                for i in 0..*n {
                    any = true;
                    if !one(self, Value::Int(i), Value::Int(i))? {
                        break;
                    }
                }
            }
            Value::Nil => {}
            other => {
                self.line = branch.pipeline.line;
                return Err(self.failure(format!("`range` cannot go over {}", other.kind())));
            }
        }
        if !any {
            self.block(&branch.otherwise, dot)?;
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, declares: bool) -> Result<(), Failure> {
        if declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, place)) => *place = value,
            None => return Err(self.unknown_variable(name)),
        }
        Ok(())
    }

    fn unknown_variable(&self, name: &str) -> Failure {
        let known = nearest(name, self.variables.iter().map(|(name, _)| name.as_str()).filter(|name| !name.is_empty()));
        let hint = known
            .map_or_else(|| format!("set it with `${} := …`", shown(name)), |near| format!("did you mean `${near}`?"));
        self.failure(format!("there is no variable `${}`", shown(name))).with_hint(hint)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Failure> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.declares)?;
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Failure> {
        self.deeper()?;
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        self.depth -= 1;
        Ok(value.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &Command, dot: &Value, piped: Option<Value>) -> Result<Value, Failure> {
        self.step()?;
        self.line = command.line;
        let first = &command.terms[0];
        if let Base::Function(name) = &first.base {
            if name == "and" || name == "or" {
                return self.first_that(name == "or", &command.terms[1..], dot, piped);
            }
            let mut arguments = Vec::with_capacity(command.terms.len());
            for term in &command.terms[1..] {
                arguments.push(self.term(term, dot)?);
            }
            arguments.extend(piped);
            self.line = command.line;
            let value = self.call(name, &arguments)?;
            return self.fields(value, &first.fields, name);
        }
        if command.terms.len() > 1 || piped.is_some() {
            let what = name_of(first).map_or_else(|| "a value".to_owned(), |name| format!("`{name}`"));
            return Err(self.failure(format!("{what} is no function, but is given arguments")));
        }
        self.term(first, dot)
    }

    /// `or`: the first argument that is true, `and`: the first that is false; else the last one.
    fn first_that(
        &mut self,
        wanted: bool,
        terms: &[Term],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut last = None;
        for term in terms {
            let value = self.term(term, dot)?;
            if value.is_true() == wanted {
                return Ok(value);
            }
            last = Some(value);
        }
        let word = if wanted { "or" } else { "and" };
        piped.or(last).ok_or_else(|| self.failure(format!("`{word}` needs an argument")))
    }

    fn term(&mut self, term: &Term, dot: &Value) -> Result<Value, Failure> {
        self.step()?;
        let value = match &term.base {
            Base::Dot => dot.clone(),
            Base::Nil => Value::Nil,
            Base::Bool(yes) => Value::Bool(*yes),
            Base::Int(n) => Value::Int(*n),
            Base::Float(x) => Value::Float(*x),
            Base::Text(text) => text.as_str().into(),
            Base::Variable(name) => match self.variables.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => value.clone(),
                None => return Err(self.unknown_variable(name)),
            },
            Base::Function(name) => self.call(name, &[])?,
            Base::Pipeline(pipeline) => {
                let outside = self.variables.len();
                let value = self.pipeline(pipeline, dot)?;
                self.variables.truncate(outside);
                value
            }
        };
        if term.fields.is_empty() {
            return Ok(value);
        }
        let name = base_name(&term.base).unwrap_or_default();
        self.fields(value, &term.fields, &name)
    }

    fn fields(&self, value: Value, fields: &[String], of: &str) -> Result<Value, Failure> {
        let mut value = value;
        let mut path = if of == "." { String::new() } else { of.to_owned() };
        for field in fields {
            value = match &value {
                Value::Table(table) => table.get(field).cloned().unwrap_or(Value::Nil),
                Value::Env => self.env(field),
                Value::Nil if !path.is_empty() => {
                    return Err(self.failure(format!(
                        "`{}` has no value, so it has no field `{}`",
                        shown(&path),
                        shown(field)
                    )));
                }
                other => {
                    return Err(self.failure(format!("{} has no field `{}`", other.kind(), shown(field))));
                }
            };
            path = format!("{path}.{field}");
        }
        Ok(value)
    }

    /// A variable of the environment; one that is not set is an empty text, as in Testground.
    pub(super) fn env(&self, name: &str) -> Value {
        self.resolver.env(name).unwrap_or_default().as_str().into()
    }
}

/// How a term is written, if it is a path.
fn name_of(term: &Term) -> Option<String> {
    let mut name = base_name(&term.base)?;
    if matches!(term.base, Base::Dot) && !term.fields.is_empty() {
        name.clear();
    }
    for field in &term.fields {
        name.push('.');
        name.push_str(field);
    }
    Some(shown(&name))
}

fn base_name(base: &Base) -> Option<String> {
    match base {
        Base::Dot => Some(".".to_owned()),
        Base::Variable(name) => Some(format!("${name}")),
        Base::Function(name) => Some(name.clone()),
        Base::Text(_) | Base::Int(_) | Base::Float(_) | Base::Bool(_) => Some("a literal".to_owned()),
        Base::Nil | Base::Pipeline(_) => None,
    }
}
