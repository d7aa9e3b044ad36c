import CLI
import Glibc

exit(kguard(Array(CommandLine.arguments.dropFirst())))
