import Base
import COpenSSL

/// A certificate with its chain and its private key, as read from PEM files.
// SAFETY: owns what it points at and frees it once; being unique, nobody else has the pointers,
// but for the length of `install`.
@safe struct CertifiedKey: ~Copyable {
    private let certificate: OpaquePointer
    private let chain: OpaquePointer
    private let key: OpaquePointer
    private let certificateFile: String
    private let keyFile: String
    /// When the certificate ends.
    let expires: Timestamp

    /// Reads both files, and checks what can be checked without a peer.
    init(
        certificateChainFile: String, privateKeyFile: String, now: Timestamp
    ) throws(TLSError) {
        let certificates = try PEMFile(certificateChainFile)
        guard let leaf = unsafe PEM_read_bio_X509(certificates.bio, nil, nil, nil) else {
            ERR_clear_error()
            throw .malformed(file: certificateChainFile, expected: "certificate")
        }
        guard let chain = unsafe reileta_chain_new() else { preconditionFailure("out of memory") }
        while let next = unsafe PEM_read_bio_X509(certificates.bio, nil, nil, nil) {
            unsafe reileta_chain_push(chain, next)
        }
        // The last attempt found the end of the file, which is an error to OpenSSL.
        ERR_clear_error()
        do throws(TLSError) {
            let starts = unsafe Self.time(X509_get0_notBefore(leaf))
            let ends = unsafe Self.time(X509_get0_notAfter(leaf))
            if now < starts { throw .notYetValid(file: certificateChainFile, from: starts) }
            if now > ends { throw .expired(file: certificateChainFile, since: ends) }
            let keys = try PEMFile(privateKeyFile)
            // Without a callback OpenSSL would ask for a passphrase on the terminal.
            let key = unsafe PEM_read_bio_PrivateKey(keys.bio, nil, { _, _, _, _ in 0 }, nil)
            guard let key = unsafe key else {
                ERR_clear_error()
                throw .malformed(file: privateKeyFile, expected: "unencrypted private key")
            }
            unsafe self.certificate = leaf
            unsafe self.chain = chain
            unsafe self.key = key
            self.certificateFile = certificateChainFile
            self.keyFile = privateKeyFile
            self.expires = ends
        } catch {
            unsafe X509_free(leaf)
            unsafe reileta_chain_free(chain)
            throw error
        }
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe reileta_chain_free(chain)
        unsafe EVP_PKEY_free(key)
    }

    /// Gives a context certificate, chain and key; it keeps references of its own.
    func install(in context: OpaquePointer) throws(TLSError) {
        guard unsafe X509_check_private_key(certificate, key) == 1 else {
            ERR_clear_error()
            throw .keyDoesNotFit(certificate: certificateFile, key: keyFile)
        }
        guard unsafe SSL_CTX_use_cert_and_key(context, certificate, key, chain, 1) == 1 else {
            throw .refused(
                file: certificateFile, reason: OpenSSLError.drain("certificate").text)
        }
    }

    private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp {
        let start = unsafe ASN1_TIME_set(nil, 0)
        defer { unsafe ASN1_TIME_free(start) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard unsafe ASN1_TIME_diff(&days, &seconds, start, time) == 1 else {
            ERR_clear_error()
            return Timestamp(milliseconds: 0)
        }
        return Timestamp(milliseconds: (Int64(days) * 86_400 + Int64(seconds)) * 1000)
    }
}

/// An open PEM file.
// SAFETY: owns the BIO and frees it once.
@safe private struct PEMFile: ~Copyable {
    let bio: OpaquePointer

    init(_ path: String) throws(TLSError) {
        guard let opened = unsafe BIO_new_file(path, "r") else {
            // OpenSSL adds entries of its own after that of the system.
            let reason = OpenSSLError.drain("open").reasons.first ?? "no reason given"
            throw .unreadable(file: path, reason: reason)
        }
        unsafe bio = opened
    }

    deinit { unsafe BIO_free(bio) }
}
