/*
 * app/commands.h - the commands of sekisho, one function each.
 *
 * argv[0] is the command's name; the rest are its options and arguments. Results go to standard
 * output, everything else to standard error.
 *
 * Threads:   called once, from the main thread.
 * Failures:  the return value is the exit code: enum exit_code of app/options.h.
 */
#pragma once

int cmd_collect(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_parse(int argc, char **argv);
int cmd_gen(int argc, char **argv);
int cmd_source(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_hunt(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_alerts(int argc, char **argv);
int cmd_rule(int argc, char **argv);
int cmd_compact(int argc, char **argv);
int cmd_keyring(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_proof(int argc, char **argv);
int cmd_ledger(int argc, char **argv);
int cmd_retain(int argc, char **argv);
int cmd_hold(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
