//! What a client says: frames gathered in one buffer, so that a test decides what is one write.

/// Frames that will be sent together.
#[derive(Debug, Default, Clone)]
pub struct Frontend {
    buffer: Vec<u8>,
}

impl Frontend {
    /// The bytes gathered so far.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forgets what was gathered.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    /// A frame with a tag, its body as it is.
    pub fn frame(&mut self, tag: u8, body: &[u8]) {
        self.buffer.push(tag);
        self.length(body.len());
        self.buffer.extend_from_slice(body);
    }

    /// Bytes outside any frame.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// StartupMessage of protocol 3.0.
    pub fn startup(&mut self, parameters: &[(&str, &str)]) {
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            cstr(&mut body, name);
            cstr(&mut body, value);
        }
        body.push(0);
        self.length(body.len());
        self.buffer.extend_from_slice(&body);
    }

    /// CancelRequest.
    pub fn cancel(&mut self, pid: i32, secret: &[u8]) {
        self.length(8 + secret.len());
        self.buffer.extend_from_slice(&80_877_102_u32.to_be_bytes());
        self.buffer.extend_from_slice(&pid.to_be_bytes());
        self.buffer.extend_from_slice(secret);
    }

    /// PasswordMessage.
    pub fn password(&mut self, password: &[u8]) {
        let mut body = password.to_vec();
        body.push(0);
        self.frame(b'p', &body);
    }

    /// SASLInitialResponse.
    pub fn sasl_initial(&mut self, mechanism: &str, data: &[u8]) {
        let mut body = Vec::new();
        cstr(&mut body, mechanism);
        value(&mut body, Some(data));
        self.frame(b'p', &body);
    }

    /// SASLResponse.
    pub fn sasl_response(&mut self, data: &[u8]) {
        self.frame(b'p', data);
    }

    /// Query.
    pub fn query(&mut self, sql: &str) {
        let mut body = Vec::new();
        cstr(&mut body, sql);
        self.frame(b'Q', &body);
    }

    /// Parse, with the parameter types the client declares (0: the server's choice).
    pub fn parse(&mut self, name: &str, sql: &str, oids: &[u32]) {
        let mut body = Vec::new();
        cstr(&mut body, name);
        cstr(&mut body, sql);
        count(&mut body, oids.len());
        for oid in oids {
            body.extend_from_slice(&oid.to_be_bytes());
        }
        self.frame(b'P', &body);
    }

    /// Bind; formats are 0 (text) or 1 (binary), none, one for all, or one each.
    pub fn bind(
        &mut self,
        (portal, statement): (&str, &str),
        parameter_formats: &[i16],
        parameters: &[Option<Vec<u8>>],
        result_formats: &[i16],
    ) {
        let mut body = Vec::new();
        cstr(&mut body, portal);
        cstr(&mut body, statement);
        formats(&mut body, parameter_formats);
        count(&mut body, parameters.len());
        for parameter in parameters {
            value(&mut body, parameter.as_deref());
        }
        formats(&mut body, result_formats);
        self.frame(b'B', &body);
    }

    /// Describe of a statement (`b'S'`) or a portal (`b'P'`).
    pub fn describe(&mut self, kind: u8, name: &str) {
        self.named(b'D', kind, name);
    }

    /// Close of a statement (`b'S'`) or a portal (`b'P'`).
    pub fn close(&mut self, kind: u8, name: &str) {
        self.named(b'C', kind, name);
    }

    /// Execute.
    pub fn execute(&mut self, portal: &str, max_rows: i32) {
        let mut body = Vec::new();
        cstr(&mut body, portal);
        body.extend_from_slice(&max_rows.to_be_bytes());
        self.frame(b'E', &body);
    }

    /// Sync.
    pub fn sync(&mut self) {
        self.frame(b'S', &[]);
    }

    /// Flush.
    pub fn flush(&mut self) {
        self.frame(b'H', &[]);
    }

    /// CopyData.
    pub fn copy_data(&mut self, data: &[u8]) {
        self.frame(b'd', data);
    }

    /// CopyDone.
    pub fn copy_done(&mut self) {
        self.frame(b'c', &[]);
    }

    /// CopyFail.
    pub fn copy_fail(&mut self, reason: &str) {
        let mut body = Vec::new();
        cstr(&mut body, reason);
        self.frame(b'f', &body);
    }

    /// Terminate.
    pub fn terminate(&mut self) {
        self.frame(b'X', &[]);
    }

    /// What the extended protocol needs for one statement, in one round trip.
    pub fn one_statement(&mut self, sql: &str) {
        self.parse("", sql, &[]);
        self.bind(("", ""), &[], &[], &[]);
        self.describe(b'P', "");
        self.execute("", 0);
        self.sync();
    }

    fn named(&mut self, tag: u8, kind: u8, name: &str) {
        let mut body = vec![kind];
        cstr(&mut body, name);
        self.frame(tag, &body);
    }

    fn length(&mut self, body: usize) {
        let length = u32::try_from(body + 4).expect("tests send frames below 4 GiB");
        self.buffer.extend_from_slice(&length.to_be_bytes());
    }
}

fn cstr(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
    body.push(0);
}

fn count(body: &mut Vec<u8>, n: usize) {
    body.extend_from_slice(&u16::try_from(n).expect("tests send few values").to_be_bytes());
}

fn formats(body: &mut Vec<u8>, formats: &[i16]) {
    count(body, formats.len());
    for format in formats {
        body.extend_from_slice(&format.to_be_bytes());
    }
}

fn value(body: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(bytes) => {
            let length = i32::try_from(bytes.len()).expect("tests send values below 2 GiB");
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(bytes);
        }
    }
}
