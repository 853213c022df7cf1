import Base
import CLinux
import Glibc

/// Signals as something to wait for. They are blocked in every thread, so that none interrupts
/// anything, and taken by the main thread, which has nothing else to do.
public enum Signals {
    /// What an operator tells a process.
    public enum Signal: Sendable {
        /// SIGTERM or SIGINT: stop, at once when it is the second.
        case stop
        /// SIGHUP: read certificates again.
        case reload
    }

    /// Blocks them; before any thread is started, since threads inherit it. SIGPIPE is ignored:
    /// whoever writes learns of a closed pipe from the answer.
    public static func block() {
        signal(SIGPIPE, SIG_IGN)
        var set = watched()
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    // SAFETY: the calls read and fill what they are given and keep no pointer.
    /// The next signal, or nil when none came within `limit`.
    public static func wait(atMost limit: Duration) -> Signal? {
        var set = watched()
        let number = unsafe reileta_wait_signal(&set, Int32(clamping: limit.milliseconds))
        if number == SIGHUP { return .reload }
        return number == SIGTERM || number == SIGINT ? .stop : nil
    }

    private static func watched() -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, number) }
        return set
    }
}
