import COpenSSL
import Support

/// A server that speaks TLS 1.2 at the most, which ours does not offer to be.
@safe final class TLS12Server {
    // SAFETY: made by `init`, used on one thread, freed once; the BIO are the connection's.
    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// SSL_CTRL_SET_MAX_PROTO_VERSION and TLS1_2_VERSION, which are macros.
    private static let (setNewest, version): (Int32, Int) = (124, 0x0303)

    init?(_ issued: TestAuthority.Issued) {
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else { return nil }
        guard unsafe SSL_CTX_ctrl(context, Self.setNewest, Self.version, nil) == 1,
            unsafe SSL_CTX_use_certificate_chain_file(context, issued.certificateFile) == 1,
            unsafe SSL_CTX_use_PrivateKey_file(context, issued.keyFile, SSL_FILETYPE_PEM) == 1,
            let ssl = unsafe SSL_new(context), let incoming = unsafe BIO_new(BIO_s_mem()),
            let outgoing = unsafe BIO_new(BIO_s_mem())
        else {
            unsafe SSL_CTX_free(context)
            return nil
        }
        unsafe (self.context, self.ssl) = (context, ssl)
        unsafe (self.incoming, self.outgoing) = (incoming, outgoing)
        unsafe SSL_set_bio(ssl, incoming, outgoing)
        unsafe SSL_set_accept_state(ssl)
    }

    deinit {
        unsafe SSL_free(ssl)
        unsafe SSL_CTX_free(context)
    }

    /// Says `text` in one piece with the end of the handshake, and waits for the client to go.
    func greet(_ connection: FakeServer.Connection, _ text: String) {
        while true {
            let bytes = connection.read()
            if bytes.isEmpty { return }
            unsafe BIO_write(incoming, bytes, Int32(bytes.count))
            let isDone = unsafe SSL_do_handshake(ssl) == 1
            if isDone {
                let greeting = Array(text.utf8)
                unsafe SSL_write(ssl, greeting, Int32(greeting.count))
            }
            var output = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe BIO_read(outgoing, &output, Int32(output.count))
            if count > 0 { connection.send(Array(output[..<Int(count)])) }
            if isDone {
                while !connection.read().isEmpty {}
                return
            }
        }
    }
}
