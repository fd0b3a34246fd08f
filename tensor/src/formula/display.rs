//! How an expression is printed.

use std::fmt;

use super::expression::{Comparison, Expression, Function, Node, Operation};

/// How strongly the outermost operator of a text binds: what binds less than its place asks for is put in brackets.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Or,
    And,
    Compare,
    Sum,
    Product,
    Sign,
    Whole,
}

/// The text of a node, and how strongly it binds.
struct Text {
    text: String,
    binding: Binding,
}

impl Text {
    fn whole(text: String) -> Self {
        Text { text, binding: Binding::Whole }
    }

    /// The text for a place that asks for this binding.
    fn at(&self, least: Binding) -> String {
        if self.binding < least { format!("({})", self.text) } else { self.text.clone() }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uses = vec![0; self.nodes().len()];
        let operands = self.nodes().iter().flat_map(Node::operands);
        operands.chain(self.results().iter().copied()).for_each(|place| uses[place] += 1);
        let mut texts: Vec<Text> = Vec::new();
        let mut named = 0;
        for (node, uses) in self.nodes().iter().zip(uses) {
            let text = self.text(node, &texts);
            let is_leaf = node.operands().next().is_none();
            if uses < 2 || is_leaf {
                texts.push(text);
                continue;
            }
            named += 1;
            writeln!(f, "t{named} = {}", text.text)?;
            texts.push(Text::whole(format!("t{named}")));
        }
        let results: Vec<&str> = self.results().iter().map(|&place| &texts[place].text[..]).collect();
        f.write_str(&results.join("\n"))
    }
}

impl Expression {
    /// A node's text, given those of the earlier nodes.
    fn text(&self, node: &Node, texts: &[Text]) -> Text {
        let infix = |a: usize, sign: &str, b: usize, binding, right| {
            let (a, b) = (texts[a].at(binding), texts[b].at(right));
            Text { text: format!("{a} {sign} {b}"), binding }
        };
        let all = |name: &str, places: &[usize]| {
            let operands: Vec<&str> = places.iter().map(|&place| &texts[place].text[..]).collect();
            Text::whole(format!("{name}({})", operands.join(", ")))
        };
        match *node {
            Node::Constant(value) if value.is_sign_negative() => {
                Text { text: value.to_string(), binding: Binding::Sign }
            }
            Node::Constant(value) => Text::whole(value.to_string()),
            Node::Input(i) => Text::whole(self.inputs()[i].clone()),
            Node::Parameter(i) => Text::whole(self.parameters()[i].clone()),
            Node::Apply(Function::Negate, a) => {
                Text { text: format!("-{}", texts[a].at(Binding::Sign)), binding: Binding::Sign }
            }
            Node::Apply(function, a) => all(function.name(), &[a]),
            Node::Combine(Operation::Add, a, b) => infix(a, "+", b, Binding::Sum, Binding::Product),
            Node::Combine(Operation::Subtract, a, b) => infix(a, "-", b, Binding::Sum, Binding::Product),
            Node::Combine(Operation::Multiply, a, b) => infix(a, "*", b, Binding::Product, Binding::Sign),
            Node::Combine(Operation::Divide, a, b) => infix(a, "/", b, Binding::Product, Binding::Sign),
            Node::Combine(Operation::Power, a, b) => all("pow", &[a, b]),
            Node::Compare(comparison, a, b) => infix(a, sign(comparison), b, Binding::Compare, Binding::Sum),
            Node::And(a, b) => infix(a, "&", b, Binding::And, Binding::Compare),
            Node::Or(a, b) => infix(a, "|", b, Binding::Or, Binding::And),
            Node::Not(a) => Text { text: format!("!{}", texts[a].at(Binding::Sign)), binding: Binding::Sign },
            Node::Select(condition, a, b) => all("select", &[condition, a, b]),
        }
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterEqual => ">=",
    }
}
