// Foundation: looks whether there is a node in a folder.
import Base
import Foundation
import Glibc

/// What nodes of tests leave, looked at by `eta check` once all their processes are gone: a node
/// that goes with its test then, one that suites share when the test process ends.
enum NodeEnds {
    private static let alive = Lock<Set<String>>([])
    private static let looksAtTheEnd: Bool = {
        atexit { NodeEnds.lookAtShared() }
        return true
    }()

    /// A node has this data folder from now on.
    static func began(data: String) {
        precondition(looksAtTheEnd)
        alive.withLock { _ = $0.insert(data) }
    }

    /// That node is gone; what is wrong in its folder.
    static func ended(data: String, isExcused: Bool) -> String? {
        let isKnown = alive.withLock { $0.remove(data) != nil }
        return isKnown && !isExcused ? look(data) : nil
    }

    private static func look(_ data: String) -> String? {
        guard FileManager.default.fileExists(atPath: data + "/keys/node.key") else { return nil }
        let (exit, text) = TestProcess.run(
            Executables.path("eta"), ["check", "--eta-data", data], in: "/tmp")
        return exit == .code(0) ? nil : "eta check at the end of a node: \(exit)\n\(text)"
    }

    /// Runs behind what ends the processes, and before what removes the folders, since those were
    /// registered after it and before it.
    private static func lookAtShared() {
        let problems = alive.withLock { $0 }.compactMap(look)
        if problems.isEmpty { return }
        for problem in problems { FileHandle.standardError.write(Data("✘ \(problem)\n".utf8)) }
        _exit(1)
    }
}
