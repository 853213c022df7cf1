import Base
import COpenSSL

/// What a server shows its clients; `reload` takes up a renewed certificate without a restart.
public final class TLSServerConfiguration: Sendable {
    private let certificateChainFile: String
    private let privateKeyFile: String
    private let clock: any ClockSource
    private let current: Lock<(context: TLSContext, expires: Timestamp)>

    /// Reads certificate, chain and key, each in PEM form, and checks that they fit.
    public init(
        certificateChainFile: String, privateKeyFile: String,
        clock: any ClockSource = SystemClock()
    ) throws(TLSError) {
        self.certificateChainFile = certificateChainFile
        self.privateKeyFile = privateKeyFile
        self.clock = clock
        let loaded = try Self.load(certificateChainFile, privateKeyFile, clock.timestamp())
        current = Lock(loaded)
    }

    /// Reads the files again. Where they are no good, everything stays as it was.
    public func reload() throws(TLSError) {
        let loaded = try Self.load(certificateChainFile, privateKeyFile, clock.timestamp())
        current.withLock { $0 = loaded }
    }

    /// When the certificate in use ends.
    public var expires: Timestamp { current.withLock { $0.expires } }

    var context: TLSContext { current.withLock { $0.context } }

    private static func load(
        _ chain: String, _ key: String, _ now: Timestamp
    ) throws(TLSError) -> (context: TLSContext, expires: Timestamp) {
        let certified = try CertifiedKey(
            certificateChainFile: chain, privateKeyFile: key, now: now)
        return (try TLSContext(server: certified), certified.expires)
    }
}

/// Whom a client believes: the system's authorities, and those of one more file.
public final class TLSClientConfiguration: Sendable {
    let context: TLSContext

    /// - Parameter caFile: further authorities in PEM form.
    public init(caFile: String? = nil) throws(TLSError) {
        context = try TLSContext(clientTrusting: caFile)
    }
}

/// OpenSSL's settings for connections of one kind.
///
/// TLS 1.2 and 1.3, ephemeral keys and authenticated ciphers alone, no renegotiation, and no
/// compression; HTTP/1.1 by ALPN.
// SAFETY: the context is set up before anybody else sees it and freed with the last reference;
// connections hold their own. OpenSSL locks what they share.
@safe final class TLSContext: @unchecked Sendable {
    private let context: OpaquePointer

    private init(_ method: OpaquePointer?) {
        guard let made = unsafe SSL_CTX_new(method) else { preconditionFailure("no TLS") }
        unsafe context = made
        let ready =
            unsafe reileta_ctx_tls_versions(context) == 1
            && SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
            && reileta_ctx_groups(context, "X25519:P-256:P-384") == 1
        precondition(ready, "OpenSSL lacks what every one of its builds has")
        // No renegotiation, no compression; idle connections give their record buffers back.
        unsafe reileta_ctx_mode(context)
        // Sessions are resumed by tickets, which the clients keep.
        unsafe reileta_ctx_no_session_cache(context)
    }

    convenience init(server certified: borrowing CertifiedKey) throws(TLSError) {
        unsafe self.init(TLS_server_method())
        try unsafe certified.install(in: context)
        unsafe SSL_CTX_set_num_tickets(context, 1)
        unsafe SSL_CTX_set_alpn_select_cb(context, TLSContext.selectProtocol, nil)
    }

    convenience init(clientTrusting caFile: String?) throws(TLSError) {
        unsafe self.init(TLS_client_method())
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        guard unsafe SSL_CTX_set_default_verify_paths(context) == 1 else {
            throw .unreadable(
                file: "the system's certificates", reason: OpenSSLError.drain("open").text)
        }
        if let caFile {
            guard unsafe SSL_CTX_load_verify_file(context, caFile) == 1 else {
                let reason = OpenSSLError.drain("load").reasons.first ?? "no reason given"
                throw .unreadable(file: caFile, reason: reason)
            }
        }
        let done = unsafe SSL_CTX_set_alpn_protos(
            context, TLSContext.http11, UInt32(TLSContext.http11.count))
        precondition(done == 0, "ALPN is refused")
    }

    deinit { unsafe SSL_CTX_free(context) }

    /// A connection with these settings, which the caller has to free.
    func makeConnection() -> OpaquePointer {
        guard let ssl = unsafe SSL_new(context) else { preconditionFailure("out of memory") }
        return unsafe ssl
    }

    /// RFC 7301 §3.1: a length byte before each name.
    private static let http11: [UInt8] = [8] + Array("http/1.1".utf8)

    /// RFC 7301 §3.2: a client that offers protocols, but not ours, is refused.
    private static let selectProtocol: SSL_CTX_alpn_select_cb_func = {
        _, chosen, chosenLength, offered, offeredLength, _ in
        var at = 0
        while at < Int(offeredLength) {
            guard let name = unsafe offered.map({ unsafe $0 + at }) else { break }
            let length = unsafe Int(name.pointee)
            let entry = unsafe UnsafeBufferPointer(start: name, count: length + 1)
            if at + length < Int(offeredLength), unsafe entry.elementsEqual(http11) {
                unsafe chosen?.pointee = name + 1
                unsafe chosenLength?.pointee = name.pointee
                return SSL_TLSEXT_ERR_OK
            }
            at += length + 1
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}
