import { execFileSync } from 'node:child_process';

/** False, or why a test that needs a real Terraform is skipped: loudly, since nothing takes its place. */
export const noTerraform: string | false = findTerraform();

function findTerraform(): string | false {
  try {
    execFileSync('terraform', ['version'], { stdio: 'ignore' });
    return false;
  } catch {
    const why = 'there is no terraform on the PATH: the terraform step is not tested against it';
    process.emitWarning(why);
    return why;
  }
}

/** A configuration that needs no provider, with its state in `state`. `input`: an expression. */
export function configuration(state: string, input: string, more = ''): string {
  return `
terraform {
  backend "local" { path = ${JSON.stringify(state)} }
}
resource "terraform_data" "one" { input = ${input} }
${more}`;
}
