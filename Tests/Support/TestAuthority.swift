// Foundation: keeps the files of the `openssl` command in a temporary folder.
import Foundation

/// A certificate authority for one test or one suite, made by the `openssl` command.
public final class TestAuthority: Sendable {
    /// A certificate and its private key, both PEM files.
    public struct Issued: Sendable {
        /// The certificate, followed by its authority's.
        public let certificateFile: String
        /// The private key.
        public let keyFile: String
    }

    /// What went wrong: a command and what it said.
    public struct Failure: Error {
        /// Command and output.
        public let text: String
    }

    /// The folder of all files; removed with the authority.
    public let folder: URL
    /// The authority's own certificate.
    public var certificateFile: String { path("ca.pem") }

    /// A new authority.
    public init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("reileta-ca-\(getpid())-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try makeKey("ca.key")
        try openssl(
            "req", "-x509", "-new", "-key", path("ca.key"), "-subj", "/CN=Test authority",
            "-days", "30", "-out", path("ca.pem"))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A certificate for names and addresses such as `DNS:localhost` and `IP:127.0.0.1`; with
    /// zero days one that has expired.
    public func issue(
        _ name: String, for names: [String] = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"],
        days: Int = 30
    ) throws -> Issued {
        try makeKey(name + ".key")
        try openssl(
            "req", "-new", "-key", path(name + ".key"), "-subj", "/CN=\(name)",
            "-out", path(name + ".csr"))
        let extensions = "subjectAltName=" + names.joined(separator: ",")
        try Data(extensions.utf8).write(to: folder.appendingPathComponent(name + ".ext"))
        try openssl(
            "x509", "-req", "-in", path(name + ".csr"), "-CA", path("ca.pem"),
            "-CAkey", path("ca.key"), "-CAcreateserial", "-days", String(days),
            "-extfile", path(name + ".ext"), "-out", path(name + ".pem"))
        var chain = try Data(contentsOf: folder.appendingPathComponent(name + ".pem"))
        chain.append(try Data(contentsOf: folder.appendingPathComponent("ca.pem")))
        try chain.write(to: folder.appendingPathComponent(name + ".pem"))
        return Issued(certificateFile: path(name + ".pem"), keyFile: path(name + ".key"))
    }

    /// Writes a file into the folder and says where it is.
    public func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        return path(name)
    }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func makeKey(_ name: String) throws {
        try openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path(name))
    }

    private func openssl(_ arguments: String...) throws {
        let (exit, said) = TestProcess.run("/usr/bin/openssl", arguments, in: folder.path)
        guard exit == .code(0) else {
            throw Failure(text: "openssl \(arguments.joined(separator: " ")): \(said)")
        }
    }
}
