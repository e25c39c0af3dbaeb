//! A JSON object written field by field. The generator's own texts need no escapes, save where
//! JSON stands in a string.

/// An object that is being written.
pub struct Object(String);

impl Object {
    /// An empty object with room for `bytes`.
    pub fn with_room(bytes: usize) -> Object {
        let mut out = String::with_capacity(bytes);
        out.push('{');
        Object(out)
    }

    /// A field with a text that needs no escapes.
    pub fn text(self, name: &str, text: &str) -> Object {
        let mut object = self.name(name);
        object.0.push('"');
        object.0.push_str(text);
        object.0.push('"');
        object
    }

    /// A field with JSON text as a string.
    pub fn quoted(self, name: &str, json: &str) -> Object {
        self.text(name, &json.replace('\\', r"\\").replace('"', "\\\""))
    }

    /// A field with any JSON value, already written.
    pub fn json(self, name: &str, json: &str) -> Object {
        let mut object = self.name(name);
        object.0.push_str(json);
        object
    }

    /// The whole object.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(mut self, name: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self
    }
}
