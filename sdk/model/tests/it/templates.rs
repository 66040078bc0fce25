//! Templates: the expected texts are those of Go's `text/template` with Testground's functions.

use std::collections::BTreeMap;

use tg_model::Composition;
use tg_model::template::{Resolver, expand, fill};

struct Files(BTreeMap<&'static str, &'static str>);

impl Resolver for Files {
    fn env(&self, name: &str) -> Option<String> {
        let known = [("A", "1"), ("LIST", "x,y,z"), ("TARGET", "rust"), ("EMPTY", "")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    }
}

const RESOURCE: &str = r#"
go_version = "1.18"
f = 0.5
big = 1e30
yes = true
list = ["a", "b"]
nums = [1, 2, 3]
[[values]]
id = "a"
[[values]]
id = "b"
[master]
selector = "v0.21"
[master.deep]
x = 1
"#;

fn files() -> Files {
    Files(BTreeMap::from([("./res.toml", RESOURCE), ("bad.toml", "a = 1\nb =\n")]))
}

#[test]
fn templates_give_what_go_gives() {
    let rows = [
        // Text, fields, variables.
        ("plain { } }} text", "plain { } }} text"),
        ("{{ .Env.A }}{{ .Env.NOT_SET }}|{{ $.Env.A }}", "1|1"),
        ("{{ $x := 1 }}{{ if $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ("{{ $t := 0 }}{{ range 4 }}{{ $t = . }}{{ end }}{{ $t }}", "3"),
        ("{{ (load_resource \"./res.toml\").master.selector }}", "v0.21"),
        // Trim markers and comments.
        ("a {{- /* no */ -}}  b {{/* no */}} c\n{{- \"d\" -}}\n e", "ab  cde"),
        ("a {{-3}} {{- 3 }}", "a -33"),
        // Literals.
        (
            "{{ \"}}\\\" \\t\\u00e9\\x41\" }}{{ `\\n` }}{{ 'a' }} {{ 0x1F }} {{ 1_000 }} {{ 1e3 }} {{ .5 }}",
            "}}\" \téA\\n97 31 1000 1000 0.5",
        ),
        // Control.
        ("{{ range $i, $x := split .Env.LIST }}{{ if $i }},{{ end }}{{ $i }}{{ $x }}{{ end }}", "0x,1y,2z"),
        ("{{ range $k, $v := (load_resource \"./res.toml\").master.deep }}{{ $k }}{{ $v }}{{ end }}", "x1"),
        ("{{ range (load_resource \"./res.toml\").nums }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"),
        ("{{ range (load_resource \"./res.toml\").nums }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ range (load_resource \"./res.toml\").none }}x{{ else }}nothing{{ end }}", "nothing"),
        ("{{ if eq .Env.TARGET \"go\" }}G{{ else if eq .Env.TARGET \"rust\" }}R{{ else }}N{{ end }}", "R"),
        ("{{ with 0 }}a{{ else with 5 }}{{ . }}{{ end }}{{ with .Env.EMPTY }}x{{ end }}", "5"),
        (
            "{{ define \"in\" }}{{ . }}{{ end }}{{ define \"out\" }}<{{ template \"in\" . }}>{{ end }}{{ template \"out\" 7 }}",
            "<7>",
        ),
        ("{{ block \"b\" .Env.A }}{{ . }}!{{ end }}", "1!"),
        // Functions.
        (
            "{{ eq 1 2 1 }} {{ ne 1 1 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt 1.5 0.5 }} {{ ge \"b\" \"a\" }}",
            "true false true true true true",
        ),
        ("{{ and 1 0 }} {{ or \"\" 0 \"z\" }} {{ not true }} {{ or .Env.NOT_SET \"-\" }}", "0 z false -"),
        (
            "{{ print \"a\" 1 2 \"b\" 3 }} {{ printf \"%s-%5d|%-4s|%05d|%q|%.2f|%x|%t%%\" \"s\" 7 \"ab\" -42 \"q\" 3.14159 255 true }}",
            "a1 2b3 s-    7|ab  |-0042|\"q\"|3.14|ff|true%",
        ),
        ("{{ len \"abc\" }}{{ index (split .Env.LIST) 1 }}{{ slice \"abcdef\" 1 3 }}{{ index .Env \"A\" }}", "3ybc1"),
        ("{{ atoi \"12\" | printf \"%03d\" }} {{ \"a,b\" | split | len }}", "012 2"),
        (
            "{{ $r := load_resource \"./res.toml\" }}{{ $r.list }} {{ $r.master }} {{ $r.big }} {{ $r.yes }}",
            "[a b] map[deep:map[x:1] selector:v0.21] 1e+30 true",
        ),
        // Testground's own.
        (
            "{{ with load_resource \"./res.toml\" }}{{ pick . \"go_version\" | toml }}{{ (withEnv .).Env.A }}{{ end }}",
            "go_version = \"1.18\"\n1",
        ),
        (
            "{{ pick (load_resource \"./res.toml\") \"values\" | toml }}",
            "[[values]]\nid = \"a\"\n\n[[values]]\nid = \"b\"\n",
        ),
        ("{{ toml (split \"a,b\") }}", "[\"a\", \"b\"]"),
    ];
    for (template, wanted) in rows {
        assert_eq!(expand("c.toml", template, &files()).as_deref(), Ok(wanted), "{template}");
    }
}

#[test]
fn what_cannot_be_filled_in_says_where_and_why() {
    let rows = [
        ("a\n{{ foo }}", 2, "no function `foo`"),
        ("{{ atio \"1\" }}", 1, "no function `atio`"),
        ("\n\n{{ $x }}", 3, "no variable `$x`"),
        ("{{ .Env.A", 1, "not closed"),
        ("{{ end }}", 1, "closes nothing"),
        ("x\n{{ if 1 }}\n\n", 2, "`if` is not closed"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 1, "second `else`"),
        ("{{ atoi .Env.EMPTY }}", 1, "cannot read ``"),
        ("{{ template \"zz\" }}", 1, "no template `zz`"),
        ("{{ eq 1 \"a\" }}", 1, "cannot be compared"),
        ("{{ index (split \"a\") 5 }}", 1, "item 5 of a list of 1"),
        ("{{ (1 }}", 1, "`(` is not closed"),
        ("{{ \"a }}", 1, "not closed"),
        ("{{ load_resource \"none.toml\" }}", 1, "cannot read `none.toml`: no such file"),
        ("{{ load_resource \"bad.toml\" }}", 1, "`bad.toml` is not TOML in line 2"),
        ("{{ pick (load_resource \"./res.toml\") \"valeus\" }}", 1, "no key `valeus`"),
        ("{{ (load_resource \"./res.toml\").nothing }}", 1, "no value to write"),
        ("{{ with load_resource \"./res.toml\" }}\n{{ .nothing }}{{ end }}", 2, "`.nothing` has no value"),
        ("{{ with load_resource \"./res.toml\" }}\n{{ .nothing.at.all }}{{ end }}", 2, "`.nothing` has no value"),
        ("{{ .Env }}", 1, "whole environment"),
        ("{{ break }}", 1, "outside of a `range`"),
        ("{{ define \"a\" }}{{ end }}\n{{ define \"a\" }}{{ end }}", 2, "defined twice"),
        ("{{ 1_x }}", 1, "is no number"),
        ("{{}}", 1, "empty"),
        ("{{ , }}", 1, "`,` is not expected"),
        ("{{/* x", 1, "comment is not closed"),
    ];
    for (template, line, part) in rows {
        let problems = expand("c.toml", template, &files()).expect_err(template);
        assert_eq!(problems.len(), 1, "{template}");
        assert_eq!(problems[0].line, Some(line), "{template}: {}", problems[0]);
        assert!(problems[0].text.contains(part), "{template}: {}", problems[0]);
    }
}

#[test]
fn a_template_that_runs_away_is_stopped() {
    let doubling = format!("{{{{ $x := \"0123456789abcdef\" }}}}{}", "{{ $x = print $x $x }}".repeat(40));
    let deep = format!("{}1{}", "{{ if 1 }}".repeat(5000), "{{ end }}".repeat(5000));
    let else_ifs = format!("{{{{ if 0 }}}}{}{{{{ end }}}}", "{{ else if 0 }}".repeat(5000));
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let rows = [
        ("{{ range 1_000_000_000 }}0123456789012345678901234567890123456789{{ end }}", "bytes"),
        ("{{ range 1_000_000_000 }}{{ end }}", "steps"),
        ("{{ range 100_000 }}{{ range 100_000 }}{{ end }}{{ end }}", "steps"),
        ("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}", "deep"),
        ("{{ printf \"%999999999d\" 1 }}", "too large a width"),
        (&doubling, "bytes"),
        (&deep, "deep"),
        (&else_ifs, "deep"),
        (&parentheses, "deep"),
    ];
    for (template, part) in rows {
        let problems = expand("c.toml", template, &files()).expect_err("it must be stopped");
        assert!(problems[0].text.contains(part), "{}", problems[0]);
    }
}

#[test]
fn problems_name_the_line_of_the_file_and_not_of_the_filled_in_text() {
    let text = "[global]\n{{ range split .Env.LIST }}\n# {{ . }}\n{{ end }}\nplam = \"p\"\n";
    let filled = fill("c.toml", text, &files()).expect("a good template");
    assert_eq!(filled.text, "[global]\n\n# x\n\n# y\n\n# z\n\nplam = \"p\"\n");
    assert_eq!(filled.lines, [1, 2, 3, 2, 3, 2, 3, 4, 5, 6]);
    let composition = Composition::read("c.toml", text, &files()).expect("TOML");
    assert!(composition.problems().iter().any(|p| p.to_string().starts_with("c.toml:5: unknown key `plam`")));
}

#[test]
fn every_action_that_cannot_be_printed_is_told() {
    let text = "a = {{ .Nope }}\nb = {{ atoi \"x\" }}\n{{ range split .Env.LIST }}c = {{ .Env.TWO }}\n{{ end }}\n{{ $x := atoi \"y\" }}\n{{ $x }}\n";
    let problems = expand("c.toml", text, &files()).expect_err("four things are wrong");
    let lines: Vec<_> = problems.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 2, 3, 5], "{problems:?}");
}
