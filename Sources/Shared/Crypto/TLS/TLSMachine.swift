import Base
import COpenSSL

/// What a shell has to know of a TLS connection.
public enum TLSEffect: Sendable, Equatable {
    /// Both sides are who they say they are; plaintext may be written.
    case handshakeDone
    /// There is something to `read`.
    case plaintext
    /// The peer says that nothing more comes from it.
    case closed
    /// The connection is over; send what output there is, then close.
    case failed(TLSError)
}

/// One TLS connection without its socket: bytes in, effects and bytes out.
///
/// OpenSSL reads straight from the span of `receive` and writes straight into the output, through
/// a BIO of our own: one copy less each way than its memory BIO, and nothing kept while idle.
@safe public struct TLSMachine: ~Copyable, @unchecked Sendable {
    // SAFETY: `ssl` and `wire` belong to this value alone, which is unique; the BIO inside `ssl`
    // has an unretained pointer to `wire`, which is freed after it. `wire.input` points into a
    // span, and only until the call that got the span returns.
    private enum State {
        case handshake
        case open
        /// We said that nothing more comes from us.
        case closing
        case over
    }

    private let ssl: OpaquePointer
    private let wire: TLSWire
    private let expectedName: String?
    private var plaintext = ByteWriter()
    private var state = State.handshake
    /// The peer said that nothing more comes from it; we may still answer.
    private var isPeerDone = false
    private var announcesHandshake = false
    private var announcesPlaintext = false
    private var end: TLSEffect?

    /// The server's side, which waits for the client's first bytes.
    public init(server configuration: TLSServerConfiguration) {
        let wire = TLSWire()
        unsafe self.ssl = Self.connect(configuration.context, wire)
        self.wire = wire
        expectedName = nil
        unsafe SSL_set_accept_state(ssl)
    }

    /// The client's side, which has its first bytes to send at once.
    ///
    /// - Parameter hostname: a name, or an address without brackets, which the server's
    ///   certificate has to be for.
    public init(client configuration: TLSClientConfiguration, hostname: String) {
        let wire = TLSWire()
        unsafe self.ssl = Self.connect(configuration.context, wire)
        self.wire = wire
        expectedName = hostname
        unsafe SSL_set_connect_state(ssl)
        let parameters = unsafe SSL_get0_param(ssl)
        // An address is compared with the addresses of the certificate, and is no SNI (RFC 6066 §3).
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, hostname) != 1 {
            unsafe X509_VERIFY_PARAM_set_hostflags(
                parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            let done =
                unsafe !hostname.isEmpty && SSL_set1_host(ssl, hostname) == 1
                && reileta_ssl_server_name(ssl, hostname) == 1
            if !done {
                ERR_clear_error()
                fail(.wrongName(expected: hostname))
            }
        }
        if state == .handshake { advance() }
    }

    deinit { unsafe SSL_free(ssl) }

    /// Whether plaintext may be written.
    public var isOpen: Bool { state == .open }

    /// Takes what came from the socket, all of it.
    public mutating func receive(_ ciphertext: Span<UInt8>) {
        guard state != .over, !isPeerDone else { return }
        unsafe ciphertext.withUnsafeBytes { bytes in
            unsafe wire.input = bytes
            advance()
            unsafe wire.input = UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    /// Takes the end of the socket's stream; a failure unless the peer announced it.
    public mutating func receiveEnd() {
        guard state != .over, !isPeerDone else { return }
        fail(.truncated)
    }

    /// What there is to act on, one at a time, until nil.
    public mutating func next() -> TLSEffect? {
        if announcesHandshake {
            announcesHandshake = false
            return .handshakeDone
        }
        if announcesPlaintext {
            announcesPlaintext = false
            return .plaintext
        }
        let effect = end
        end = nil
        return effect
    }

    /// Moves all plaintext that came to the end of `target`.
    public mutating func read(into target: inout ByteWriter) {
        Self.move(&plaintext, into: &target)
    }

    /// Encrypts; once we closed or failed, does nothing. Not before `handshakeDone`.
    public mutating func write(_ bytes: Span<UInt8>) {
        precondition(state != .handshake, "plaintext before the end of the handshake")
        guard state == .open, bytes.count > 0 else { return }
        ERR_clear_error()
        // A record adds at most 29 bytes to its 16 KiB at the versions and ciphers we speak.
        wire.output.reserve(bytes.count + (bytes.count / 16_384 + 1) * 32)
        var written = 0
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        }
        // Our BIO takes everything, so that what is not written is a failure.
        if result != 1 { failFromOpenSSL(result) }
    }

    /// Whether there is ciphertext to send.
    public var hasOutput: Bool { !wire.output.isEmpty }

    /// Moves all ciphertext that is to be sent to the end of `target`.
    public mutating func takeOutput(into target: inout ByteWriter) {
        Self.move(&wire.output, into: &target)
    }

    /// Says that nothing more comes from us; what comes from the peer can still be read.
    public mutating func shutdown() {
        guard state == .open else { return }
        state = .closing
        ERR_clear_error()
        unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    private static func connect(_ context: TLSContext, _ wire: TLSWire) -> OpaquePointer {
        let ssl = unsafe context.makeConnection()
        let bio = unsafe BIO_new(TLSWire.method)
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(wire).toOpaque())
        unsafe SSL_set_bio(ssl, bio, bio)
        return unsafe ssl
    }

    private mutating func advance() {
        ERR_clear_error()
        if state == .handshake {
            let result = unsafe SSL_do_handshake(ssl)
            guard result == 1 else { return failFromOpenSSL(result) }
            state = .open
            announcesHandshake = true
        }
        while true {
            var length = 0
            // As much as there is ciphertext for; a record that was cut before needs more rounds.
            let room = unsafe max(256, wire.input.count)
            let ssl = unsafe self.ssl
            let result = unsafe plaintext.append(upTo: room) { room in
                unsafe SSL_read_ex(ssl, room.baseAddress, room.count, &length) == 1 ? length : 0
            }
            if result == 0 { return failFromOpenSSL(0) }
            announcesPlaintext = true
        }
    }

    /// Wanting more bytes is none of the failures.
    private mutating func failFromOpenSSL(_ result: Int32) {
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return
        case SSL_ERROR_ZERO_RETURN:
            isPeerDone = true
            end = .closed
        case _:
            let failure = OpenSSLError.drain("TLS")
            let verdict = unsafe SSL_get_verify_result(ssl)
            switch Int32(truncatingIfNeeded: verdict) {
            case X509_V_OK:
                fail(.violation(reason: failure.reasons.last ?? "no reason given"))
            case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
                fail(.wrongName(expected: expectedName ?? ""))
            case _:
                let reason = unsafe X509_verify_cert_error_string(verdict)
                fail(.untrusted(reason: unsafe reason.map { unsafe String(cString: $0) } ?? ""))
            }
        }
    }

    private mutating func fail(_ error: TLSError) {
        state = .over
        end = .failed(error)
    }

    /// Large buffers change hands, small ones are copied and kept while they stay small.
    private static func move(_ source: inout ByteWriter, into target: inout ByteWriter) {
        if source.isEmpty { return }
        if target.isEmpty, source.count >= 4096 {
            target = source
            source = ByteWriter()
        } else {
            source.withSpan { target.append($0) }
            source.removeAll(keeping: 0)
        }
    }
}

/// Where OpenSSL finds ciphertext and leaves it.
// SAFETY: reached only from within the calls of the machine that owns it.
@safe private final class TLSWire {
    var input = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var output = ByteWriter()

    /// The BIO's functions, made once.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "reileta")
        unsafe BIO_meth_set_create(method) { bio in
            unsafe BIO_set_init(bio, 1)
            return 1
        }
        unsafe BIO_meth_set_read_ex(method) { bio, target, room, count in
            guard let wire = unsafe TLSWire.of(bio), let target = unsafe target else { return 0 }
            unsafe reileta_bio_clear_retry(bio)
            let length = unsafe min(room, wire.input.count)
            guard length > 0, let from = unsafe wire.input.baseAddress else {
                unsafe reileta_bio_want_read(bio)
                return 0
            }
            unsafe UnsafeMutableRawPointer(target).copyMemory(from: from, byteCount: length)
            unsafe wire.input = UnsafeRawBufferPointer(rebasing: wire.input[length...])
            unsafe count?.pointee = length
            return 1
        }
        unsafe BIO_meth_set_write_ex(method) { bio, bytes, length, count in
            guard let wire = unsafe TLSWire.of(bio) else { return 0 }
            unsafe reileta_bio_clear_retry(bio)
            unsafe wire.output.append(
                copying: UnsafeRawBufferPointer(start: bytes, count: length))
            unsafe count?.pointee = length
            return 1
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        return unsafe method
    }()

    private static func of(_ bio: OpaquePointer?) -> TLSWire? {
        unsafe BIO_get_data(bio).map {
            unsafe Unmanaged<TLSWire>.fromOpaque($0).takeUnretainedValue()
        }
    }
}
