//! The ids of tool calls in a history. The form before tools (`function_call`, role `function`) has none, and some clients
//! leave them out: a result is then matched to a call by name or by order, and both get an id that we make up.

/// The calls of a history so far that still want a result.
#[derive(Debug, Default)]
pub(super) struct History {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    id: String,
    name: String,
}

impl History {
    /// Notes a call; gives its id, made up from its place where it has none.
    pub(super) fn call(&mut self, id: Option<String>, name: &str, message: usize, at: usize) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{message}_{at}"));
        self.open.push(Open {
            id: id.clone(),
            name: name.to_owned(),
        });
        id
    }

    /// The id of the call that a result answers: its own, else that of the first open call of the name (or of any name).
    pub(super) fn result(&mut self, id: Option<String>, name: Option<&str>, message: usize) -> String {
        let given = id.filter(|id| !id.is_empty());
        let at = self.open.iter().position(|open| match (&given, name) {
            (Some(id), _) => open.id == *id,
            (None, Some(name)) => open.name == name,
            (None, None) => true,
        });
        let found = at.map(|at| self.open.remove(at).id);
        given.or(found).unwrap_or_else(|| format!("call_{message}_0"))
    }
}
